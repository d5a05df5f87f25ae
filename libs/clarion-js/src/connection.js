import { readFrame } from "./frames.js";
import { CONNECT_TIMEOUT_MS, SILENCE_GRACE_MS } from "./limits.js";
import { CLOSE_NETWORK } from "./reconnect.js";

/**
 * @import { Bye, ClientFrame, Resume, ServerFrame } from "./frames.js"
 * @import { ConnectionEnd } from "./reconnect.js"
 *
 * @typedef {object} TransportEvents what a transport tells its connection
 * @property {() => Resume} resume what it says first
 * @property {(text: any) => void} onText
 * @property {(end: ConnectionEnd) => void} onClose
 *
 * @typedef {object} Transport a socket, or an event stream with what goes beside it
 * @property {(frame: ClientFrame, session: string | null) => void} send
 * @property {(how: { isLeaving: boolean }) => void} close ends it from this side
 *
 * @typedef {(events: TransportEvents) => Transport} OpenTransport
 */

/**
 * One connection from its start to its end, which is told once, by `onEnd`.
 *
 * `open` opens its transport, which says `resume()` first. Answers pings, and ends a connection on which nothing comes
 * any more.
 */
export class Connection {
  #transport;
  #onFrame;
  /** @type {((end: ConnectionEnd) => void) | null} */
  #onEnd;
  /** @type {Bye | null} */
  #bye = null;
  #quietMs = CONNECT_TIMEOUT_MS; // until `hello` this is the deadline of the whole connect
  #isGreeted = false;
  /** @type {string | null} */
  #session = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {object} options
   * @param {OpenTransport} options.open
   * @param {() => Resume} options.resume
   * @param {(frame: ServerFrame | null, size: number | undefined) => void} options.onFrame null: it cannot be read
   * @param {(end: ConnectionEnd) => void} options.onEnd
   */
  constructor({ open, resume, onFrame, onEnd }) {
    this.#onFrame = onFrame;
    this.#onEnd = onEnd;
    this.#transport = open({ resume, onText: (text) => this.#receive(text), onClose: (end) => this.#closed(end) });
    this.#listen();
  }

  /** @param {ClientFrame} frame */
  send(frame) {
    this.#transport.send(frame, this.#session);
  }

  /**
   * End it from this side, at once: on a dead network the closing handshake would take minutes. `isLeaving`: no other
   * connection follows, that would say again what is still to be said.
   *
   * @param {ConnectionEnd} end
   * @param {{ isLeaving?: boolean }} [how]
   */
  end(end, { isLeaving = false } = {}) {
    if (this.#finish(end)) this.#transport.close({ isLeaving });
  }

  /** @param {any} text */
  #receive(text) {
    if (this.#onEnd === null) return; // ended while more of what came together was still to be told
    const frame = readFrame(text);
    if (frame?.op === "hello") {
      this.#isGreeted = true;
      this.#session = frame.session;
      this.#quietMs = frame.ping_s * 1000 + SILENCE_GRACE_MS;
    }
    if (frame?.op === "ping") this.send({ op: "pong" });
    if (frame?.op === "bye") this.#bye = frame;
    if (this.#isGreeted) this.#listen();
    this.#onFrame(frame, text?.length);
  }

  #listen() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#onSilence(), this.#quietMs);
  }

  #onSilence() {
    this.end({ code: CLOSE_NETWORK, reason: `the server sent nothing for ${this.#quietMs / 1000} s` });
  }

  /** @param {ConnectionEnd} end */
  #closed({ reason, ...end }) {
    this.end({ ...end, reason: reason || this.#bye?.reason });
  }

  /**
   * @param {ConnectionEnd} end
   * @returns {boolean} false: it had ended before
   */
  #finish(end) {
    if (this.#onEnd === null) return false;
    clearTimeout(this.#timer);
    const onEnd = this.#onEnd;
    this.#onEnd = null;
    onEnd({ retryMs: this.#bye?.retry_ms, wasGreeted: this.#isGreeted, ...end });
    return true;
  }
}
