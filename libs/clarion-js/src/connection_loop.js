import { CancellableDelay } from "./cancellable_delay.js";
import { Connection } from "./connection.js";
import { ClarionError } from "./errors.js";
import { CLOSE_FORBIDDEN, CLOSE_NETWORK, CLOSE_NORMAL, CLOSE_PROTOCOL, CLOSE_TOKEN, Reconnect } from "./reconnect.js";
import { TransportSelector } from "./transport_selector.js";

/**
 * @import { State } from "./clarion.js"
 * @import { Credentials } from "./credentials.js"
 * @import { Delivery } from "./delivery.js"
 * @import { Emitter } from "./emitter.js"
 * @import { Batch, Hello, ServerFrame } from "./frames.js"
 * @import { Outbox } from "./outbox.js"
 * @import { Progress } from "./progress.js"
 * @import { ConnectionEnd } from "./reconnect.js"
 * @import { SelectorOptions } from "./transport_selector.js"
 * @import { UnreadCount } from "./unread_count.js"
 *
 * @typedef {object} LoopOptions
 * @property {Credentials} credentials
 * @property {Outbox} outbox takes what frames bring, as the three that follow
 * @property {Progress} progress
 * @property {Delivery} delivery
 * @property {UnreadCount} unread
 * @property {Emitter["emit"]} emit tells the application
 * @property {() => void} onClosed comes once, before the state `closed` is told
 */

/** @type {Record<number, string>} */
const REASONS = {
  [CLOSE_PROTOCOL]:
    "the server did not understand the client: check that the url is a gateway's, and the SDK not older than it",
  [CLOSE_TOKEN]: "the token was refused, and a fresh one, too: check its issuer, audience, key and clock",
  [CLOSE_FORBIDDEN]: "the user may not connect: use a token with the scope subscribe, from an origin that is allowed",
};

/**
 * One connection after the other, until `close()` or a final refusal: takes every frame, and gives what it brings to
 * those whom it concerns.
 */
export class ConnectionLoop {
  #credentials;
  #transports;
  #reconnect;
  #outbox;
  #progress;
  #delivery;
  #unread;
  #emit;
  #onClosed;
  /** @type {State} */
  #state = { name: "connecting" };
  /** @type {Connection | null} */
  #connection = null;
  /** @type {string | null} */
  #token = null; // of the latest connection
  #isClosed = false;
  #delay = new CancellableDelay();
  #onOnline = () => this.retryNow();

  /** @param {LoopOptions & Omit<SelectorOptions, "onError">} options */
  constructor({ credentials, outbox, progress, delivery, unread, emit, onClosed, ...transport }) {
    this.#credentials = credentials;
    this.#outbox = outbox;
    this.#progress = progress;
    this.#delivery = delivery;
    this.#unread = unread;
    this.#emit = emit;
    this.#onClosed = onClosed;
    this.#reconnect = new Reconnect({ canRefresh: credentials.canRefresh, random: transport.random });
    this.#transports = new TransportSelector({
      ...transport,
      onError: (error) => emit("error", error),
      onSocket: () => this.end({ code: CLOSE_NORMAL, reason: "a socket gets through again" }),
    });
    globalThis.addEventListener?.("online", this.#onOnline);
  }

  get state() {
    return this.#state;
  }

  async run() {
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

  /** End the wait before the next try. */
  retryNow() {
    this.#delay.cancel();
  }

  /**
   * End the connection from this side, if there is one; another follows, as `Reconnect` says of such an end.
   *
   * @param {ConnectionEnd} end
   */
  end(end) {
    this.#connection?.end(end);
  }

  close() {
    if (this.#isClosed) return;
    this.#outbox.closing();
    this.#finish({ code: CLOSE_NORMAL, reason: "the application closed it" });
  }

  /**
   * From the token to the end of the connection; resolves with how it ended.
   *
   * @param {boolean} refresh
   * @returns {Promise<ConnectionEnd>}
   */
  async #connect(refresh) {
    try {
      this.#token = await this.#credentials.ask({ refresh, refused: this.#token });
    } catch (cause) {
      this.#emit("error", new ClarionError("token", "getToken failed, and is called again later", { cause }));
      return { code: CLOSE_NETWORK, reason: "no token", hadNoToken: true };
    }
    if (this.#isClosed) return { code: CLOSE_NORMAL };
    const token = this.#token;
    if (token === null) return { code: CLOSE_TOKEN, reason: "the token is not a JWT" };
    return new Promise((onEnd) => {
      this.#connection = new Connection({
        open: this.#transports.next(token),
        resume: () => this.#progress.resume(),
        onFrame: (frame, size) => this.#onFrame(frame, size),
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

  /**
   * @param {ServerFrame | null} frame
   * @param {number} [size]
   */
  #onFrame(frame, size) {
    switch (frame?.op) {
      case "hello":
        this.#onHello(frame);
        break;
      case "batch":
        this.#onBatch(frame, size);
        break;
      case "sync":
        this.#outbox.synced(frame.change, frame.ids);
        if (frame.change === "retracted") this.#delivery.retracted(frame.ids);
        this.#emit("sync", { change: frame.change, ids: frame.ids, unread: frame.unread });
        this.#unread.told(frame.unread);
        break;
      case "resync":
        if (Array.isArray(frame.forget)) this.#progress.forget(frame.forget);
        this.#outbox.resend();
        this.#unread.askAnew();
        this.#emit("resync", undefined);
        break;
      case "ping":
        this.#delivery.since(frame.since);
        this.#outbox.flush(); // what a timer should have sent that is late
        break;
      case "error":
        if (frame.code === "busy") this.#outbox.refused();
        this.#emit("error", new ClarionError("server", `${frame.code}: ${frame.detail}`));
        break;
      default:
        // an op of a later version is passed over; null is what cannot be read
        if (frame === null) this.#onUnreadable();
    }
  }

  /** @param {Hello} frame */
  #onHello(frame) {
    this.#reconnect.opened(Date.now());
    this.#transports.greeted();
    this.#outbox.opened((reply) => this.#connection?.send(reply), frame);
    if (!this.#progress.belongsTo(frame)) {
      const reason = "the stored progress is of another user or deployment, and is not used";
      this.#emit("error", new ClarionError("storage", reason));
    }
    // who has one keeps it: a gateway that `resume` reached late took it for fresh
    if (frame.since && this.#progress.resume().since === null) this.#delivery.since(frame.since);
    const { resumed, degraded } = frame;
    this.#setState({ name: "open", resumed, degraded, transport: this.#transports.current });
    this.#unread.told(frame.unread);
  }

  /**
   * @param {Batch} frame
   * @param {number} [size]
   */
  #onBatch({ tag, items, since }, size) {
    if (this.#delivery.batch({ tag, items, since, size })) return;
    const reason = "too many items wait to be handled: the connection starts again from what is handled";
    this.#emit("error", new ClarionError("overflow", reason));
    this.end({ code: CLOSE_NETWORK, reason });
  }

  /** A server that does not speak the protocol: tried again with backoff, since a rolling update may mend it. */
  #onUnreadable() {
    const reason = "a frame of the server cannot be read";
    this.#emit("error", new ClarionError("protocol", reason));
    this.end({ code: CLOSE_NETWORK, reason });
  }

  /** @param {State} state */
  #setState(state) {
    this.#state = Object.freeze(state);
    this.#emit("state", this.#state);
  }

  /** @param {ConnectionEnd} end */
  #finish({ code, reason }) {
    this.#isClosed = true;
    globalThis.removeEventListener?.("online", this.#onOnline);
    this.#connection?.end({ code, reason }, { isLeaving: true });
    this.#delay.cancel();
    this.#onClosed();
    this.#setState({ name: "closed", code, reason: reason || REASONS[code] || `closed by the server (${code})` });
  }
}
