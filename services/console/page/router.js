// Which view an address names: `#/name/rest?key=value`. Pure.

/** @typedef {{ name: string, rest: string, query: URLSearchParams }} Place */

/**
 * @param {string} hash
 * @returns {Place}
 */
export function placeOf(hash) {
  const [path, query = ""] = split(hash.replace(/^#\/?/, ""), "?");
  const [name, rest = ""] = split(path, "/");
  return { name, rest: decoded(rest), query: new URLSearchParams(query) };
}

/**
 * @param {string} name
 * @param {string} [rest]
 * @param {Record<string, string | null | undefined>} [query] of which empty values are left out
 */
export function addressOf(name, rest = "", query = {}) {
  const there = Object.entries(query).filter(([, value]) => value);
  const asked = new URLSearchParams(/** @type {[string, string][]} */ (there)).toString();
  return `#/${name}${rest ? `/${encodeURIComponent(rest)}` : ""}${asked ? `?${asked}` : ""}`;
}

/**
 * @param {string} text
 * @param {string} by
 */
function split(text, by) {
  const at = text.indexOf(by);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // somebody wrote the address by hand
  }
}
