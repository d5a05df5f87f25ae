// The operator's token: it stays in this tab, and goes nowhere but into a header of requests to this console.

const KEY = "clarion-console-token";

/** @returns {string | null} */
export function savedToken() {
  return sessionStorage.getItem(KEY);
}

/** @param {string | null} token */
export function saveToken(token) {
  if (token === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, token);
}

/**
 * Whom a token names, to show it. Only the console checks a token.
 *
 * @param {string} token
 */
export function subjectOf(token) {
  try {
    const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const text = new TextDecoder().decode(Uint8Array.from(atob(payload), (letter) => letter.charCodeAt(0)));
    const { sub } = JSON.parse(text);
    return typeof sub === "string" ? sub : "";
  } catch {
    return ""; // no JWT: the console will say so
  }
}

/** Whether this console makes tokens by itself, as in development. */
export async function isDevelopment() {
  return (await fetch("dev/config")).ok;
}

/**
 * @param {string} user
 * @returns {Promise<string>}
 */
export async function developmentToken(user) {
  const answer = await fetch("dev/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user }),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.detail ?? `the console answered ${answer.status}`);
  return told.token;
}
