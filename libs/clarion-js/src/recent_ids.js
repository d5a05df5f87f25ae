import { REMEMBERED_IDS } from "./limits.js";

/** The last ids that were handled, oldest forgotten first. */
export class RecentIds {
  /** @type {Set<string>} */
  #ids = new Set(); // a Set iterates in order of insertion
  #limit;

  constructor(limit = REMEMBERED_IDS) {
    this.#limit = limit;
  }

  get size() {
    return this.#ids.size;
  }

  /** @param {string} id */
  has(id) {
    return this.#ids.has(id);
  }

  /** @param {string} id */
  add(id) {
    this.#ids.delete(id);
    this.#ids.add(id);
    if (this.#ids.size <= this.#limit) return;
    const [oldest] = this.#ids;
    this.#ids.delete(oldest);
  }
}
