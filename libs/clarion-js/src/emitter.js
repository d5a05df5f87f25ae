import { ClarionError } from "./errors.js";

/**
 * @import { Events } from "./clarion.js"
 *
 * @typedef {(value: any) => unknown} Listener
 */

/**
 * What comes with an event; undefined where nothing does.
 *
 * @template {keyof Events} E
 * @typedef {Parameters<Events[E]>[0]} Value
 */

/** Listeners by event. One that throws is reported as an `error` event and stops no other. */
export class Emitter {
  /** @type {Map<string, Set<{ listener: Listener }>>} */
  #listeners;

  /** @param {readonly (keyof Events)[]} events */
  constructor(events) {
    this.#listeners = new Map(events.map((event) => [event, new Set()]));
  }

  /**
   * Returns the function that takes the listener off again.
   *
   * @template {keyof Events} E
   * @param {E} event
   * @param {Events[E]} listener
   * @returns {() => void}
   */
  on(event, listener) {
    const listeners = this.#of(event);
    if (typeof listener !== "function") throw new TypeError(`on("${event}", …) takes a function`);
    const entry = { listener }; // its own object: the same function may be added twice and taken off once
    listeners.add(entry);
    return () => void listeners.delete(entry);
  }

  /** @param {keyof Events} event */
  listeners(event) {
    return [...this.#of(event)].map((entry) => entry.listener);
  }

  /**
   * @template {keyof Events} E
   * @param {E} event
   * @param {Value<E>} value
   */
  emit(event, value) {
    const listeners = this.listeners(event);
    // an error nobody listens for must not vanish
    if (event === "error" && listeners.length === 0) console.error(value);
    for (const listener of listeners) {
      try {
        listener(value);
      } catch (cause) {
        if (event === "error") console.error(cause);
        else this.emit("error", new ClarionError("listener", `a listener of "${event}" threw`, { cause }));
      }
    }
  }

  /** @param {keyof Events} event */
  #of(event) {
    const listeners = this.#listeners.get(event);
    if (!listeners) throw new TypeError(`no event "${event}"; there are ${[...this.#listeners.keys()].join(", ")}`);
    return listeners;
  }
}
