import { ClarionError } from "./errors.js";

/** Listeners by event. One that throws is reported as an `error` event and stops no other. */
export class Emitter {
  #listeners;

  constructor(events) {
    this.#listeners = new Map(events.map((event) => [event, new Set()]));
  }

  /** Returns the function that takes the listener off again. */
  on(event, listener) {
    const listeners = this.#of(event);
    if (typeof listener !== "function") throw new TypeError(`on("${event}", …) takes a function`);
    const entry = { listener }; // its own object: the same function may be added twice and taken off once
    listeners.add(entry);
    return () => void listeners.delete(entry);
  }

  listeners(event) {
    return [...this.#of(event)].map((entry) => entry.listener);
  }

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

  #of(event) {
    const listeners = this.#listeners.get(event);
    if (!listeners) throw new TypeError(`no event "${event}"; there are ${[...this.#listeners.keys()].join(", ")}`);
    return listeners;
  }
}
