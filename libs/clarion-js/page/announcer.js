const PAUSE_MS = 3_000; // a screen reader must be able to finish a sentence

/** @import { Notification } from "/sdk/clarion.js" */

/** Tells screen readers what arrived: urgent at once, the rest summed up politely. */
export class Announcer {
  #polite;
  #assertive;
  /** @type {Notification[]} */
  #waiting = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {{ polite: HTMLElement, assertive: HTMLElement }} regions live ones, of either kind */
  constructor({ polite, assertive }) {
    this.#polite = polite;
    this.#assertive = assertive;
  }

  /** @param {Notification[]} items */
  arrived(items) {
    const urgent = items.filter((item) => item.lane === "urgent");
    if (urgent.length > 0) this.#assertive.textContent = summary(urgent, "urgent notification");
    this.#waiting.push(...items.filter((item) => item.lane !== "urgent"));
    this.#speak();
  }

  /** @param {string} text */
  say(text) {
    this.#polite.textContent = text;
  }

  #speak() {
    if (this.#timer !== undefined || this.#waiting.length === 0) return;
    this.say(summary(this.#waiting, "new notification"));
    this.#waiting = [];
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#speak();
    }, PAUSE_MS);
  }
}

/**
 * @param {Notification[]} items at least one
 * @param {string} noun
 */
function summary(items, noun) {
  const last = items[items.length - 1].message.slice(0, 200);
  return items.length === 1 ? `1 ${noun}: ${last}` : `${items.length} ${noun}s, the latest: ${last}`;
}
