import { openEventStream } from "./event_stream.js";
import { TRY_SOCKET_MAX_MS, TRY_SOCKET_MIN_MS } from "./limits.js";
import { CLOSE_NETWORK, CLOSE_TRY_AGAIN } from "./reconnect.js";
import { openSocket, tryOutSocket } from "./socket.js";

const STREAM_EVERY = 4;

/**
 * @import { State } from "./clarion.js"
 * @import { OpenTransport } from "./connection.js"
 * @import { ClarionError } from "./errors.js"
 * @import { ConnectionEnd } from "./reconnect.js"
 * @import { Fetch } from "./request.js"
 *
 * @typedef {object} SelectorOptions
 * @property {string} url of the socket
 * @property {new (url: string, protocols: string[]) => WebSocket} WebSocket
 * @property {Fetch} fetch
 * @property {boolean} fallback whether there are event streams
 * @property {() => number} [random]
 * @property {(error: ClarionError) => void} onError
 *
 * @typedef {SelectorOptions & { token: string }} TransportOptions what opens a transport
 */

/**
 * Which transport the next connection uses. A socket, unless it does not come through where an event stream does; from
 * a stream back to sockets as soon as one gets through (`onSocket`), which is tried out beside it, ever less often.
 *
 * Of the tries in a row that come to nothing the second uses a stream, then every fourth: while the server is away that
 * is so for both, and most of its clients shall come back by socket.
 */
export class TransportSelector {
  /** @type {SelectorOptions} */
  #options;
  #onSocket;
  /** @type {Extract<State, { name: "open" }>["transport"]} */
  #current = "websocket";
  #token = "";
  #failures = 0; // tries in a row that never came as far as `hello`
  #isBlocked = false; // for sockets, as far as is known
  #triedOut = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #stopTrying = () => {};

  /** @param {SelectorOptions & { onSocket: () => void }} options */
  constructor({ onSocket, ...options }) {
    this.#options = options;
    this.#onSocket = onSocket;
  }

  /** "websocket" or "stream": of the latest connection. */
  get current() {
    return this.#current;
  }

  /**
   * Returns what opens it, for a `Connection`.
   *
   * @param {string} token
   * @returns {OpenTransport}
   */
  next(token) {
    const { fallback } = this.#options;
    const isStream = fallback && (this.#isBlocked || this.#failures % STREAM_EVERY === 1);
    this.#current = isStream ? "stream" : "websocket";
    this.#token = token;
    const open = isStream ? openEventStream : openSocket;
    return (events) => open({ ...this.#options, token }, events);
  }

  /** `hello` has come. */
  greeted() {
    this.#failures = 0;
    this.#isBlocked = this.#current === "stream";
    if (this.#isBlocked) this.#tryLater();
    else this.#triedOut = 0;
  }

  /**
   * The connection is over. A verdict of the server came through, whatever it says.
   *
   * @param {ConnectionEnd} how
   */
  ended({ code, wasGreeted }) {
    clearTimeout(this.#timer);
    this.#stopTrying();
    const isVerdict = code !== CLOSE_NETWORK && !(this.#current === "stream" && code === CLOSE_TRY_AGAIN);
    if (wasGreeted || isVerdict) return;
    // a stream that fails, too, says nothing about sockets any more
    this.#failures = this.#isBlocked ? 0 : this.#failures + 1;
    this.#isBlocked = false;
  }

  #tryLater() {
    const { random = Math.random } = this.#options;
    const longest = Math.min(TRY_SOCKET_MAX_MS, TRY_SOCKET_MIN_MS * 2 ** this.#triedOut++);
    this.#timer = setTimeout(() => this.#tryOut(), (longest * (1 + random())) / 2);
  }

  #tryOut() {
    this.#stopTrying = tryOutSocket({ ...this.#options, token: this.#token }, (isThrough) => {
      this.#stopTrying = () => {};
      if (!isThrough) return this.#tryLater();
      this.#isBlocked = false;
      this.#onSocket();
    });
  }
}
