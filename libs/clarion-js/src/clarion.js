import { ConnectionLoop } from "./connection_loop.js";
import { Credentials } from "./credentials.js";
import { Delivery } from "./delivery.js";
import { Emitter } from "./emitter.js";
import { ClarionError } from "./errors.js";
import { Inbox } from "./inbox.js";
import { iterate } from "./iteration.js";
import { HANDLER_TIMEOUT_MS } from "./limits.js";
import { idList } from "./notification_ids.js";
import { Outbox } from "./outbox.js";
import { Progress } from "./progress.js";
import { RecentIds } from "./recent_ids.js";
import { CLOSE_NETWORK } from "./reconnect.js";
import { UnreadCount } from "./unread_count.js";
import { socketUrl } from "./urls.js";

export { ClarionError };

/**
 * @import { Events, InboxQuery, Notification, Options, State } from "./clarion.js"
 * @import { Mark } from "./frames.js"
 */

/** @type {(keyof Events)[]} */
const EVENTS = ["notification", "state", "unread", "sync", "resync", "error"];

/**
 * A user's notifications, live or later. Connects at once and stays connected until `close()` or a final refusal.
 * The types and what each event means: clarion.d.ts.
 */
export class Clarion {
  #events = new Emitter(EVENTS);
  #inbox;
  #unread;
  #outbox;
  #delivery;
  #loop;

  /** @param {Options} options */
  constructor(options) {
    const { url, storage, user, random, ackOnError = false, handlerTimeoutMs = HANDLER_TIMEOUT_MS } = options;
    if (storage && !user) throw new TypeError("storage needs user, since progress is stored under a key for each user");
    const credentials = new Credentials(options);
    const shared = { url: socketUrl(url), fetch: options.fetch ?? globalThis.fetch?.bind(globalThis), random };
    /** @param {ClarionError} error */
    const onError = (error) => this.#events.emit("error", error);
    this.#inbox = new Inbox({ ...shared, credentials });
    this.#unread = new UnreadCount({
      ask: () => this.#inbox.count(),
      onChange: (count) => this.#events.emit("unread", count),
      onError: (error) => this.#isClosed || onError(error),
    });
    this.#outbox = new Outbox({ random });
    // later: what it finds when it loads is for listeners, and there are none yet
    const progress = new Progress({ storage, user, onError: (error) => queueMicrotask(() => onError(error)) });
    this.#delivery = new Delivery({
      handlers: () => this.#events.listeners("notification"),
      seen: new RecentIds(),
      progress,
      timeoutMs: handlerTimeoutMs,
      ackOnError,
      onHandled: (tag, handled) => this.#outbox.ack(tag, handled),
      onFailed: (attempt) => this.#loop.end({ code: CLOSE_NETWORK, reason: "a notification was not handled", attempt }),
      onError,
    });
    this.#loop = new ConnectionLoop({
      ...shared,
      WebSocket: options.WebSocket ?? globalThis.WebSocket,
      fallback: (options.fallback ?? true) && shared.fetch !== undefined,
      credentials,
      outbox: this.#outbox,
      progress,
      delivery: this.#delivery,
      unread: this.#unread,
      emit: (event, value) => this.#events.emit(event, value),
      onClosed: () => this.#inbox.close(),
    });
    // after the caller's next lines: its listeners hear of everything
    queueMicrotask(() => this.#loop.run());
  }

  /** @returns {State} */
  get state() {
    return this.#loop.state;
  }

  /** The server's count (up to 100), null until it told one. */
  get unreadCount() {
    return this.#unread.value;
  }

  /**
   * @template {keyof Events} E
   * @param {E} event
   * @param {Events[E]} listener
   * @returns {() => void}
   */
  on(event, listener) {
    const off = this.#events.on(event, listener);
    if (event === "notification") this.#delivery.run();
    return off;
  }

  /** @param {string | Iterable<string>} ids */
  read(ids) {
    this.#mark("read", ids);
  }

  /** @param {string | Iterable<string>} ids */
  unread(ids) {
    this.#mark("unread", ids);
  }

  /** @param {string | Iterable<string>} ids */
  archive(ids) {
    this.#mark("archive", ids);
  }

  /** @param {InboxQuery} [query] */
  inbox(query) {
    return this.#inbox.page(query);
  }

  /** @param {string | Iterable<string>} ids */
  async unarchive(ids) {
    return this.#inbox.mark("unarchive", idList(ids));
  }

  readAll() {
    return this.#inbox.readAll();
  }

  retryNow() {
    this.#loop.retryNow();
  }

  close() {
    this.#loop.close();
  }

  /** @returns {AsyncGenerator<Notification, void, void>} */
  [Symbol.asyncIterator]() {
    return iterate(this);
  }

  get #isClosed() {
    return this.state.name === "closed";
  }

  /**
   * @param {Mark["op"]} op
   * @param {string | Iterable<string>} ids
   */
  #mark(op, ids) {
    const list = idList(ids);
    if (this.#isClosed) throw new Error("this Clarion is closed: make another one");
    this.#outbox.mark(op, list);
  }
}
