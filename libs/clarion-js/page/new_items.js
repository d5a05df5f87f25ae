const HIDDEN_DRAW_MS = 250; // a hidden page gets no animation frames

/**
 * @import { Notification } from "/sdk/clarion.js"
 *
 * @typedef {object} NewItem
 * @property {Notification} item
 * @property {number} at when it could be had, in milliseconds
 * @property {boolean} isAway it could be had before the page was connected
 */

/** What came since the list was drawn: however much it is, the list is drawn once an animation frame. */
export class NewItems {
  /** @type {NewItem[]} */
  #items = [];
  #isScheduled = false;
  #isCut = false;
  #most;
  #draw;

  /**
   * @param {object} options
   * @param {number} options.most how many the list can show
   * @param {() => void} options.draw takes them
   */
  constructor({ most, draw }) {
    this.#most = most;
    this.#draw = draw;
  }

  /** @param {NewItem} one */
  add(one) {
    this.#items.push(one);
    if (this.#items.length > 2 * this.#most) this.#cut();
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    if (document.hidden) setTimeout(() => this.#draw(), HIDDEN_DRAW_MS);
    else requestAnimationFrame(() => this.#draw());
  }

  /** Returns them, and begins anew. `isCut`: there were more than the list can show. */
  take() {
    this.#cut();
    const taken = { items: this.#items, isCut: this.#isCut };
    this.#items = [];
    this.#isScheduled = false;
    this.#isCut = false;
    return taken;
  }

  /** Keep the newest: of what the list would cut, rows are not even made. */
  #cut() {
    if (this.#items.length <= this.#most) return;
    this.#items.sort((one, other) => one.at - other.at);
    this.#items = this.#items.slice(-this.#most);
    this.#isCut = true;
  }
}
