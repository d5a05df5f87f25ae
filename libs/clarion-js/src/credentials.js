import { within } from "./deadline.js";
import { TOKEN_TIMEOUT_MS } from "./limits.js";

const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/; // also what a subprotocol may hold: anything else makes WebSocket throw

/** Where tokens come from: a fixed one, or the application's `getToken`. The socket and the inbox share the last one. */
export class Credentials {
  #getToken;
  #last = null;
  canRefresh;

  constructor({ token, getToken }) {
    if ((token === undefined) === (getToken === undefined)) throw new TypeError("give either token or getToken");
    this.canRefresh = getToken !== undefined;
    this.#getToken = getToken ?? (() => token);
  }

  /** Ask for a token. Rejects as `getToken` does, or after 10 s. Anything but a JWT comes as null. */
  async ask({ refresh = false } = {}) {
    const token = await within(TOKEN_TIMEOUT_MS, Promise.resolve(this.#getToken({ refresh })), "getToken");
    this.#last = typeof token === "string" && JWT.test(token) ? token : null;
    return this.#last;
  }

  /** The last token, or a first one. */
  async last() {
    return this.#last ?? this.ask();
  }
}
