import { TransportSelector } from "./transport_selector.js";
import { Credentials } from "./credentials.js";
import { Delivery } from "./delivery.js";
import { Emitter } from "./emitter.js";
import { ClarionError } from "./errors.js";
import { Inbox } from "./inbox.js";
import { HANDLER_TIMEOUT_MS } from "./limits.js";
import { Connection } from "./connection.js";
import { Outbox } from "./outbox.js";
import { CancellableDelay } from "./cancellable_delay.js";
import { Progress } from "./progress.js";
import { RecentIds } from "./recent_ids.js";
import { CLOSE_FORBIDDEN, CLOSE_NETWORK, CLOSE_NORMAL, CLOSE_PROTOCOL, CLOSE_TOKEN, Reconnect } from "./reconnect.js";

export { ClarionError } from "./errors.js";

const EVENTS = ["notification", "state", "unread", "sync", "resync", "error"];
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/**
 * A user's notifications, live or later. Connects at once and stays connected until `close()` or a final refusal.
 * The types and what each event means: clarion.d.ts.
 */
export class Clarion {
  #transports;
  #credentials;
  #inbox;
  #countsTold = 0;
  #events = new Emitter(EVENTS);
  #outbox;
  #progress;
  #delivery;
  #reconnect;
  #state = { name: "connecting" };
  #unread = null;
  #connection = null;
  #token = null; // of the latest connection
  #isClosed = false;
  #delay = new CancellableDelay();
  #onOnline = () => this.retryNow();

  constructor(options) {
    const { url, storage, user, random, ackOnError = false, handlerTimeoutMs = HANDLER_TIMEOUT_MS } = options;
    if (storage && !user) throw new TypeError("storage needs user: progress is kept under a key of the user's own");
    const onError = (error) => this.#events.emit("error", error);
    this.#credentials = new Credentials(options);
    const shared = { url: socketUrl(url), fetch: options.fetch ?? globalThis.fetch?.bind(globalThis), random };
    this.#inbox = new Inbox({ ...shared, credentials: this.#credentials });
    this.#transports = new TransportSelector({
      ...shared,
      WebSocket: options.WebSocket ?? globalThis.WebSocket,
      fallback: (options.fallback ?? true) && shared.fetch !== undefined,
      onError,
      onSocket: () => this.#connection?.end({ code: CLOSE_NORMAL, reason: "a socket gets through again" }),
    });
    this.#outbox = new Outbox({ random });
    this.#reconnect = new Reconnect({ canRefresh: this.#credentials.canRefresh, random });
    // later: what it finds when it loads is for listeners, and there are none yet
    this.#progress = new Progress({ storage, user, onError: (error) => queueMicrotask(() => onError(error)) });
    this.#delivery = new Delivery({
      handlers: () => this.#events.listeners("notification"),
      seen: new RecentIds(),
      progress: this.#progress,
      timeoutMs: handlerTimeoutMs,
      ackOnError,
      onHandled: (tag, handled) => this.#outbox.ack(tag, handled),
      onFailed: (attempt) => this.#connection?.end({ code: CLOSE_NETWORK, reason: "a notification was not handled", attempt }),
      onError,
    });
    globalThis.addEventListener?.("online", this.#onOnline);
    // after the caller's next lines: its listeners hear of everything
    queueMicrotask(() => this.#stayConnected());
  }

  get state() {
    return this.#state;
  }

  /** The server's count (up to 100), null until it told one. */
  get unreadCount() {
    return this.#unread;
  }

  on(event, listener) {
    const off = this.#events.on(event, listener);
    if (event === "notification") this.#delivery.run();
    return off;
  }

  read(ids) {
    this.#mark("read", ids);
  }

  unread(ids) {
    this.#mark("unread", ids);
  }

  archive(ids) {
    this.#mark("archive", ids);
  }

  inbox(asked) {
    return this.#inbox.page(asked);
  }

  async unarchive(ids) {
    return this.#inbox.mark("unarchive", idList(ids));
  }

  readAll() {
    return this.#inbox.readAll();
  }

  /** End the wait before the next try. */
  retryNow() {
    this.#delay.cancel();
  }

  close() {
    if (this.#isClosed) return;
    this.#outbox.closing();
    this.#finish({ code: CLOSE_NORMAL, reason: "closed by the application" });
  }

  /** One at a time; a notification counts as handled when the loop asks for the next one. */
  async *[Symbol.asyncIterator]() {
    let offered = null;
    let wake = () => {};
    const offer = (item) =>
      new Promise((handled, failed) => {
        offered = { item, handled, failed };
        wake();
      });
    const offs = [this.on("notification", offer), this.on("state", () => wake())];
    try {
      while (!this.#isClosed) {
        if (offered === null) await new Promise((resolve) => (wake = resolve));
        else {
          const current = offered;
          yield current.item;
          current.handled();
          // it is another one when this one took too long
          if (offered === current) offered = null;
        }
      }
    } finally {
      offs.forEach((off) => off());
      offered?.failed(new Error("the loop ended before it asked for the next notification"));
    }
  }

  async #stayConnected() {
    let refresh = false;
    while (!this.#isClosed) {
      this.#setState({ name: "connecting" });
      const end = await this.#connect(refresh);
      if (this.#isClosed) return;
      // an older gateway, which does not know whose a position is
      if (end.code === CLOSE_PROTOCOL && !end.wasGreeted && this.#progress.speakPlainly()) end.code = CLOSE_NETWORK;
      const hasOtherToken = this.#credentials.hasOtherThan(this.#token);
      const next = this.#reconnect.after({ ...end, hasOtherToken }, Date.now());
      if (next === null) return this.#finish(end);
      refresh = next.refresh || (refresh && end.hadNoToken === true);
      this.#setState({ name: "waiting", retryMs: Math.round(next.waitMs), code: end.code, reason: end.reason });
      await this.#delay.for(next.waitMs);
    }
  }

  /** From the token to the end of the socket; resolves with how it ended. */
  async #connect(refresh) {
    try {
      this.#token = await this.#credentials.ask({ refresh, refused: this.#token });
    } catch (cause) {
      this.#events.emit("error", new ClarionError("token", "getToken failed: trying again", { cause }));
      return { code: CLOSE_NETWORK, reason: "no token", hadNoToken: true };
    }
    if (this.#isClosed) return { code: CLOSE_NORMAL };
    if (this.#token === null) return { code: CLOSE_TOKEN, reason: "this is not a JWT" };
    return new Promise((onEnd) => {
      this.#connection = new Connection({
        open: this.#transports.next(this.#token),
        resume: () => this.#progress.resume(),
        onFrame: (frame, size) => this.#receive(frame, size),
        onEnd: (how) => {
          // at once: a frame of the next connection must find nothing of this one
          this.#connection = null;
          this.#transports.ended(how);
          this.#outbox.closed();
          this.#delivery.drop();
          onEnd(how);
        },
      });
    });
  }

  #receive(frame, size) {
    switch (frame?.op) {
      case "hello":
        this.#reconnect.opened(Date.now());
        this.#transports.greeted();
        this.#outbox.opened((reply) => this.#connection?.send(reply), frame);
        if (!this.#progress.belongsTo(frame)) {
          const reason = "the stored progress is of another user or deployment: beginning again";
          this.#events.emit("error", new ClarionError("storage", reason));
        }
        // who has one keeps it: a gateway that `resume` reached late took it for fresh
        if (frame.since && this.#progress.resume().since === null) this.#delivery.since(frame.since);
        this.#setState({
          name: "open",
          resumed: frame.resumed,
          degraded: frame.degraded,
          transport: this.#transports.current,
        });
        this.#told(frame.unread);
        break;
      case "batch":
        this.#receiveBatch(frame, size);
        break;
      case "sync":
        this.#outbox.synced(frame.change, frame.ids);
        if (frame.change === "retracted") this.#delivery.retracted(frame.ids);
        this.#events.emit("sync", { change: frame.change, ids: frame.ids, unread: frame.unread });
        this.#told(frame.unread);
        break;
      case "resync":
        if (Array.isArray(frame.forget)) this.#progress.forget(frame.forget);
        this.#outbox.resend();
        this.#countAnew();
        this.#events.emit("resync", undefined);
        break;
      case "ping":
        this.#delivery.since(frame.since);
        this.#outbox.flush(); // what a timer should have sent that is late
        break;
      case "error":
        if (frame.code === "busy") this.#outbox.refused();
        this.#events.emit("error", new ClarionError("server", `${frame.code}: ${frame.detail}`));
        break;
      default:
        // an op of a later version is passed over; null is what cannot be read
        if (frame === null) this.#refuse();
    }
  }

  #receiveBatch({ tag, items, since }, size) {
    if (!this.#delivery.batch({ tag, items, since, size })) {
      const reason = "more came than may wait to be handled: starting again from what is handled";
      this.#events.emit("error", new ClarionError("overflow", reason));
      this.#connection?.end({ code: CLOSE_NETWORK, reason });
    }
  }

  /** A server that does not speak the protocol: tried again with backoff, since a rolling update may mend it. */
  #refuse() {
    const reason = "a frame cannot be read";
    this.#events.emit("error", new ClarionError("protocol", reason));
    this.#connection?.end({ code: CLOSE_NETWORK, reason });
  }

  #mark(op, ids) {
    const list = idList(ids);
    if (this.#isClosed) throw new Error("this Clarion is closed");
    this.#outbox.mark(op, list);
  }

  #setState(state) {
    this.#state = Object.freeze(state);
    this.#events.emit("state", this.#state);
  }

  #told(count) {
    this.#countsTold++;
    this.#setUnread(count);
  }

  /** A count was not told. What is told while this one is asked for is at least as good: each change is told after it. */
  async #countAnew() {
    const before = ++this.#countsTold;
    try {
      const count = await this.#inbox.count();
      if (before === this.#countsTold) this.#setUnread(count);
    } catch (error) {
      if (!this.#isClosed) this.#events.emit("error", error);
    }
  }

  #setUnread(count) {
    if (typeof count !== "number" || count === this.#unread) return; // null: the store did not answer
    this.#unread = count;
    this.#events.emit("unread", count);
  }

  #finish({ code, reason }) {
    this.#isClosed = true;
    globalThis.removeEventListener?.("online", this.#onOnline);
    this.#connection?.end({ code, reason }, { isLeaving: true });
    this.#inbox.close();
    this.#delay.cancel();
    this.#setState({ name: "closed", code, reason: reason || REASONS[code] || `closed by the server (${code})` });
  }
}

const REASONS = {
  [CLOSE_PROTOCOL]: "the server did not understand this client: is the url a gateway's, and the SDK no older than it?",
  [CLOSE_TOKEN]: "the token was refused, a fresh one as well: see its issuer, audience, key and clock",
  [CLOSE_FORBIDDEN]: "not allowed: use a token with the scope subscribe, from an origin that is allowed",
};

function idList(ids) {
  const list = typeof ids === "string" ? [ids] : [...ids];
  for (const id of list) if (!ID.test(id)) throw new TypeError(`not a notification id: ${id}`);
  // Swift writes upper case; the server says the same ids in lower case
  return list.map((id) => id.toLowerCase());
}

/** ws or http, absolute or relative to the page; without a path it is the gateway's own. */
function socketUrl(url) {
  const parsed = new URL(url, globalThis.location?.href);
  parsed.protocol = { "http:": "ws:", "https:": "wss:" }[parsed.protocol] ?? parsed.protocol;
  if (parsed.pathname === "/") parsed.pathname = "/v1/ws";
  return parsed.href;
}
