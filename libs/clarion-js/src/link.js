import { CONNECT_TIMEOUT_MS, SILENCE_GRACE_MS } from "./limits.js";
import { CLOSE_NETWORK, CLOSE_NORMAL } from "./reconnect.js";

const SUBPROTOCOL = "clarion.v1";
const OPEN = 1; // WebSocket.OPEN

/**
 * One socket from its start to its end, which is told once: `onEnd({code, reason, retryMs, attempt})`.
 *
 * Speaks `resume` first, answers pings, and ends a connection on which nothing comes any more.
 */
export class Link {
  #socket;
  #onFrame;
  #onEnd;
  #bye = null;
  #quietMs = CONNECT_TIMEOUT_MS; // until `hello` this is the deadline of the whole connect
  #isGreeted = false;
  #timer;
  #listeners;

  constructor({ WebSocket, url, token, resume, onFrame, onEnd }) {
    this.#onFrame = onFrame;
    this.#onEnd = onEnd;
    this.#listeners = {
      open: () => this.send(resume()),
      message: (event) => this.#receive(event.data),
      close: (event) => this.#finish({ code: event.code || CLOSE_NETWORK, reason: event.reason || this.#bye?.reason }),
    };
    this.#socket = new WebSocket(url, [SUBPROTOCOL, `bearer.${token}`]);
    for (const [event, listener] of Object.entries(this.#listeners)) this.#socket.addEventListener(event, listener);
    this.#listen();
  }

  send(frame) {
    if (this.#socket.readyState === OPEN) this.#socket.send(JSON.stringify(frame));
  }

  /** End it from this side, at once: on a dead network the closing handshake would take minutes. */
  end(end) {
    if (this.#finish(end)) this.#socket.close(CLOSE_NORMAL);
  }

  #receive(text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      frame = null; // no text, or no JSON: the owner decides, as for any other frame out of place
    }
    if (frame?.op === "hello") {
      this.#isGreeted = true;
      this.#quietMs = frame.ping_s * 1000 + SILENCE_GRACE_MS;
    }
    if (frame?.op === "ping") this.send({ op: "pong" });
    if (frame?.op === "bye") this.#bye = frame;
    if (this.#isGreeted) this.#listen();
    this.#onFrame(frame);
  }

  #listen() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#onSilence(), this.#quietMs);
  }

  #onSilence() {
    this.end({ code: CLOSE_NETWORK, reason: `nothing came for ${this.#quietMs / 1000} s` });
  }

  #finish(end) {
    if (this.#onEnd === null) return false;
    clearTimeout(this.#timer);
    for (const [event, listener] of Object.entries(this.#listeners)) this.#socket.removeEventListener(event, listener);
    const onEnd = this.#onEnd;
    this.#onEnd = null;
    onEnd({ retryMs: this.#bye?.retry_ms, ...end });
    return true;
  }
}
