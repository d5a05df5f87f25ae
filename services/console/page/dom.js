// Makes elements. All text goes in as text: much of what is shown was written by strangers.

/**
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {{
 *   class?: string,
 *   on?: Record<string, (event: any) => void>,
 *   data?: Record<string, string>,
 *   [attribute: string]: unknown,
 * }} Properties attributes; `true` sets an empty one, and what is undefined, null or false is left out
 */

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Properties} [properties]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function h(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "on") {
      for (const [event, handle] of Object.entries(properties.on ?? {})) made.addEventListener(event, handle);
    } else if (key === "data") Object.assign(made.dataset, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(key, String(value));
  }
  made.append(...children.filter(isThere));
  return made;
}

/**
 * @param {Child} child
 * @returns {child is Node | string}
 */
function isThere(child) {
  return child !== null && child !== undefined && child !== false;
}

/**
 * The element of index.html with this id. Throws when there is none of this kind.
 *
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
export function find(id, kind) {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`index.html has no ${kind.name} called ${id}`);
}

/** @param {string} id */
export const by = (id) => find(id, HTMLElement);

/**
 * Write a text only where it is another one, so that neither selections nor screen readers are disturbed.
 *
 * @param {HTMLElement} element
 * @param {string} text
 */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * @typedef {{ label: string, end?: boolean }} Column whose cells are at the end of the line, as numbers are
 * @typedef {{ key?: string, cells: Child[], tone?: string, class?: string }} Row of which the first cell is its head
 */

/**
 * A table that becomes a list of cards where it is narrow. Roles are written down, since a browser forgets them when
 * cells are laid out as cards.
 *
 * @param {string} caption
 * @param {Column[]} columns
 * @param {Row[]} rows
 */
export function table(caption, columns, rows) {
  const heads = columns.map((column) =>
    h("th", { scope: "col", role: "columnheader", class: column.end ? "end" : "" }, column.label),
  );
  return h(
    "table",
    { class: "table", role: "table" },
    h("caption", { class: "unseen" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...heads)),
    h("tbody", { role: "rowgroup" }, ...rows.map((row) => makeRow(columns, row))),
  );
}

/**
 * @param {Column[]} columns
 * @param {Row} row
 */
function makeRow(columns, row) {
  const cells = row.cells.map((cell, index) => {
    const column = columns[index];
    const properties = { class: column.end ? "end" : "", data: { label: column.label } };
    return index === 0
      ? h("th", { ...properties, scope: "row", role: "rowheader" }, cell)
      : h("td", { ...properties, role: "cell" }, cell);
  });
  const data = /** @type {Record<string, string>} */ ({});
  if (row.key) data.key = row.key;
  if (row.tone) data.tone = row.tone;
  return h("tr", { role: "row", class: row.class, data }, ...cells);
}

/**
 * Names and what belongs to them.
 *
 * @param {[string, Child][]} pairs whose second part is left out where it is not there
 */
export function facts(pairs) {
  const there = pairs.filter(([, value]) => isThere(value) && value !== "");
  const groups = there.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
  return h("dl", { class: "facts" }, ...groups);
}

/**
 * @param {string} tone "good", "wait", "bad" or "none"
 * @param {string} text
 */
export function pill(tone, text) {
  return h("span", { class: "pill", data: { tone } }, text);
}

/**
 * A text in which what stands between backticks is code, and single line breaks are those of its source.
 *
 * @param {string} text
 */
export function prose(text) {
  const parts = text.replace(/(?<!\n)\n(?![\n-])/g, " ").split("`");
  return h("span", {}, ...parts.map((part, index) => (index % 2 === 1 ? h("code", {}, part) : part)));
}

/** @param {string} text */
export function notice(text) {
  return h("p", { class: "notice", role: "alert" }, text);
}
