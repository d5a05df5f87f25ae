import { within } from "./deadline.js";
import { ClarionError } from "./errors.js";
import { QUEUED_ITEMS, SAVE_MS } from "./limits.js";

/**
 * @import { Notification } from "./clarion.js"
 * @import { Listener } from "./emitter.js"
 * @import { Handled } from "./outbox.js"
 * @import { Progress } from "./progress.js"
 * @import { RecentIds } from "./recent_ids.js"
 *
 * @typedef {object} QueuedBatch
 * @property {number} tag
 * @property {readonly Notification[]} items
 * @property {string | null} [since]
 * @property {number} size its frame's, in characters
 * @property {number} next the index of the item that is handled next
 */

/**
 * What was received, handled strictly in order, one notification at a time, across connections.
 *
 * A batch counts as handled once every promise its handlers returned has settled. A failure stops the queue there:
 * nothing behind it is handled or acknowledged, and the owner is told to reconnect, which brings it again.
 */
export class Delivery {
  /** @type {QueuedBatch[]} */
  #queue = [];
  #items = 0;
  #isRunning = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #saving;
  /** @type {{ id: string | null, count: number }} */
  #failing = { id: null, count: 0 };
  #handlers;
  #seen;
  #progress;
  #timeoutMs;
  #ackOnError;
  #onHandled;
  #onFailed;
  #onError;

  /**
   * @param {object} options
   * @param {() => Listener[]} options.handlers those of the moment; while there is none, everything waits
   * @param {RecentIds} options.seen
   * @param {Progress} options.progress
   * @param {number} options.timeoutMs for one notification
   * @param {boolean} options.ackOnError
   * @param {(tag: number, handled: Handled) => void} options.onHandled acknowledge up to it
   * @param {(times: number) => void} options.onFailed the same notification failed so often in a row
   * @param {(error: ClarionError) => void} options.onError
   */
  constructor({ handlers, seen, progress, timeoutMs, ackOnError, onHandled, onFailed, onError }) {
    this.#handlers = handlers;
    this.#seen = seen;
    this.#progress = progress;
    this.#timeoutMs = timeoutMs;
    this.#ackOnError = ackOnError;
    this.#onHandled = onHandled;
    this.#onFailed = onFailed;
    this.#onError = onError;
  }

  /**
   * Returns false when the queue is full: the server does not keep to its window.
   *
   * @param {{ tag: number, items: readonly Notification[], since?: string | null, size?: number }} batch
   */
  batch({ tag, items, since, size = 0 }) {
    if (this.#items + items.length > QUEUED_ITEMS) return false;
    this.#items += items.length;
    this.#queue.push({ tag, items, since, size, next: 0 });
    this.run();
    return true;
  }

  /** @param {string | null} [since] as the server told it, after all that was received */
  since(since) {
    const last = this.#queue.at(-1);
    if (last) last.since = since ?? last.since;
    else {
      this.#progress.reached(since);
      this.#save();
    }
  }

  /**
   * Hand out none of these any more: it may be told before they come, since lanes have topics of their own.
   *
   * @param {readonly string[]} ids
   */
  retracted(ids) {
    for (const id of ids) this.#seen.add(id);
  }

  /** The connection is gone: the server sends again what was not handled. */
  drop() {
    for (const item of this.#waiting()) this.#progress.unhandled(item);
    this.#queue = [];
    this.#items = 0;
    this.#save();
  }

  /** Go on, unless it is going on already. Never rejects. */
  async run() {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      while (this.#queue.length > 0 && this.#handlers().length > 0) await this.#handleFirst();
    } finally {
      // in the same step as the last look at the queue, or what comes between the two would wait for ever
      this.#isRunning = false;
    }
  }

  async #handleFirst() {
    const entry = this.#queue[0];
    const isHandled = await this.#handleAll(entry);
    if (entry !== this.#queue[0] || isHandled === null) return; // dropped meanwhile, or nobody listens any more
    if (!isHandled) {
      this.drop();
      this.#onFailed(this.#failing.count);
      return;
    }
    this.#queue.shift();
    this.#items -= entry.items.length;
    this.#progress.reached(entry.since);
    this.#save();
    this.#onHandled(entry.tag, { items: entry.items.length, size: entry.size, isAll: this.#queue.length === 0 });
  }

  /**
   * Whether it is handled; null: its rest waits for a listener.
   *
   * @param {QueuedBatch} entry
   */
  async #handleAll(entry) {
    for (; entry.next < entry.items.length; entry.next++) {
      const item = entry.items[entry.next];
      if (!this.#seen.has(item.id)) {
        if (this.#handlers().length === 0) return null; // the last one may be taken off while it has an item in hand
        if (!(await this.#handle(item))) return false;
      }
      // dropped meanwhile: what waited behind it may be of a lower ord. It comes again, and is known by its id
      if (entry !== this.#queue[0]) return false;
      this.#progress.handled(item);
      this.#saveSoon();
    }
    return true;
  }

  /** @param {Notification} item */
  async #handle(item) {
    try {
      await within(this.#timeoutMs, callAll(this.#handlers(), item), "a notification handler");
    } catch (cause) {
      this.#failing = { id: item.id, count: this.#failing.count + 1 };
      this.#onError(new ClarionError("handler", `notification ${item.id} was not handled: ${cause}`, { cause, item }));
      if (!this.#ackOnError) return false;
    }
    if (this.#failing.id === item.id) this.#failing = { id: null, count: 0 };
    this.#seen.add(item.id);
    return true;
  }

  /** Received and not handled, the one in hand as well. */
  *#waiting() {
    for (const entry of this.#queue) yield* entry.items.slice(entry.next);
  }

  /** For a page that ends in the middle of a batch. Paced: to write takes its time, and every other tab is told. */
  #saveSoon() {
    this.#saving ??= setTimeout(() => this.#save(), SAVE_MS);
  }

  #save() {
    clearTimeout(this.#saving);
    this.#saving = undefined;
    this.#progress.save(this.#waiting());
  }
}

/**
 * @param {readonly Listener[]} handlers
 * @param {Notification} item
 */
async function callAll(handlers, item) {
  const results = await Promise.allSettled(handlers.map(async (handler) => handler(item)));
  const errors = results.filter((result) => result.status === "rejected").map((result) => result.reason);
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} handlers failed`);
}
