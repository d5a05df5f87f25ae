import { setCurrent } from "./row.js";

/** @import { Entry } from "./list.js" */

/** What the person does in the list by mouse and keys, and its current row: the one at which the Tab key stops. */
export class ListControls {
  /** @type {HTMLElement | null} */
  #current = null;
  #visible;
  #onMark;

  /**
   * @param {object} options
   * @param {HTMLElement} options.list
   * @param {() => Entry[]} options.visible the rows that are shown
   * @param {(entry: Entry, isRead: boolean) => void} options.onMark
   */
  constructor({ list, visible, onMark }) {
    this.#visible = visible;
    this.#onMark = onMark;
    list.addEventListener("click", (event) => this.#onClick(event));
    list.addEventListener("keydown", (event) => this.#onKey(event));
    list.addEventListener("focusin", (event) => {
      const row = rowOf(event);
      if (row) this.makeCurrent(row); // else the list itself, by the skip link
    });
  }

  get current() {
    return this.#current;
  }

  /** @param {HTMLElement | null} row */
  makeCurrent(row) {
    if (row === this.#current) return;
    if (this.#current) setCurrent(this.#current, false);
    this.#current = row;
    if (row) setCurrent(row, true);
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const row = rowOf(event);
    const entry = this.#visible().find((one) => one.row === row);
    if (!entry || String(getSelection())) return; // selecting text is not clicking
    if (targetOf(event).closest(".mark")) this.#onMark(entry, !entry.isRead);
    else if (!entry.isRead) this.#onMark(entry, true);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const row = targetOf(event);
    if (!row.classList.contains("row") || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = this.#visible();
    const index = rows.findIndex((entry) => entry.row === row);
    /** @type {Record<string, number>} */
    const targets = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: rows.length - 1 };
    const target = targets[event.key];
    if (target !== undefined) rows[target]?.row.focus();
    else if (event.key === "Enter" || event.key === " ") this.#onMark(rows[index], true);
    else return;
    event.preventDefault();
  }
}

/** @param {Event} event of something in the list */
function targetOf(event) {
  return /** @type {HTMLElement} */ (event.target);
}

/**
 * @param {Event} event
 * @returns {HTMLElement | null} null: it is of the list itself
 */
function rowOf(event) {
  return targetOf(event).closest(".row");
}
