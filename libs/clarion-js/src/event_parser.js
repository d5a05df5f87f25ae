import { EVENT_CHARS } from "./limits.js";

/** @typedef {{ name: string, data: string }} ServerSentEvent */

const LINE_END = /\r\n|\n|\r(?!$)/; // a \r at the end may be half of one

/** Server-Sent Events in pieces → `{name, data}`, as the HTML standard says; ids and retry times are passed over. */
export class EventParser {
  #rest = "";
  #name = "";
  /** @type {string[]} */
  #data = [];
  #length = 0; // of the data so far

  /**
   * Throws RangeError when an event has no end in sight.
   *
   * @param {string} text
   */
  feed(text) {
    const lines = (this.#rest + text).split(LINE_END);
    this.#rest = lines.pop() ?? "";
    const events = lines.flatMap((line) => this.#take(line));
    if (this.#rest.length + this.#length > EVENT_CHARS) {
      throw new RangeError(`an event of more than ${EVENT_CHARS} characters`);
    }
    return events;
  }

  /**
   * @param {string} line
   * @returns {ServerSentEvent[]}
   */
  #take(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#name = value;
    if (field === "data") {
      this.#data.push(value);
      this.#length += value.length + 1;
    }
    return [];
  }

  #dispatch() {
    const event = { name: this.#name || "message", data: this.#data.join("\n") };
    const isEmpty = this.#data.length === 0;
    this.#name = "";
    this.#data = [];
    this.#length = 0;
    return isEmpty ? [] : [event];
  }
}
