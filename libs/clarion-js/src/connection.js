import { readFrame } from "./frames.js";
import { CONNECT_TIMEOUT_MS, SILENCE_GRACE_MS } from "./limits.js";
import { CLOSE_NETWORK } from "./reconnect.js";

/**
 * One connection from its start to its end, which is told once: `onEnd({code, reason, retryMs, attempt, wasGreeted})`.
 *
 * `open({resume, onText, onClose})` opens its transport, which says `resume()` first. Answers pings, and ends a connection
 * on which nothing comes any more.
 */
export class Connection {
  #transport;
  #onFrame;
  #onEnd;
  #bye = null;
  #quietMs = CONNECT_TIMEOUT_MS; // until `hello` this is the deadline of the whole connect
  #isGreeted = false;
  #session = null;
  #timer;

  constructor({ open, resume, onFrame, onEnd }) {
    this.#onFrame = onFrame;
    this.#onEnd = onEnd;
    this.#transport = open({ resume, onText: (text) => this.#receive(text), onClose: (end) => this.#closed(end) });
    this.#listen();
  }

  send(frame) {
    this.#transport.send(frame, this.#session);
  }

  /**
   * End it from this side, at once: on a dead network the closing handshake would take minutes. `isLeaving`: no other
   * connection follows, that would say again what is still to be said.
   */
  end(end, { isLeaving = false } = {}) {
    if (this.#finish(end)) this.#transport.close({ isLeaving });
  }

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
    this.end({ code: CLOSE_NETWORK, reason: `nothing came for ${this.#quietMs / 1000} s` });
  }

  #closed({ reason, ...end }) {
    this.end({ ...end, reason: reason || this.#bye?.reason });
  }

  #finish(end) {
    if (this.#onEnd === null) return false;
    clearTimeout(this.#timer);
    const onEnd = this.#onEnd;
    this.#onEnd = null;
    onEnd({ retryMs: this.#bye?.retry_ms, wasGreeted: this.#isGreeted, ...end });
    return true;
  }
}
