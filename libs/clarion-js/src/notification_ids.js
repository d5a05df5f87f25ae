const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/**
 * The ids that the application gave, one or many, as the server writes them. Throws TypeError for what is no id.
 *
 * @param {string | Iterable<string>} ids
 */
export function idList(ids) {
  const list = typeof ids === "string" ? [ids] : [...ids];
  for (const id of list) if (!ID.test(id)) throw new TypeError(`this is not a notification id: ${id}`);
  // Swift writes upper case; the server says the same ids in lower case
  return list.map((id) => id.toLowerCase());
}
