import { within } from "./deadline.js";
import { TOKEN_TIMEOUT_MS } from "./limits.js";

/** @import { Options } from "./clarion.js" */

const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/; // also what a subprotocol may hold: anything else makes WebSocket throw

/**
 * Where tokens come from: a fixed one, or the application's `getToken`. The socket and the inbox share the last one,
 * and an ask that is under way: what `getToken` refreshes with may be good for one use only, and used twice a theft.
 */
export class Credentials {
  #getToken;
  /** @type {string | null} */
  #last = null;
  /** @type {{ refresh: boolean, token: Promise<string | null> } | null} */
  #asking = null;
  canRefresh;

  /** @param {Pick<Options, "token" | "getToken">} options */
  constructor({ token, getToken }) {
    if ((token === undefined) === (getToken === undefined))
      throw new TypeError("give either token or getToken, and not both");
    this.canRefresh = getToken !== undefined;
    this.#getToken = getToken ?? (() => token);
  }

  /**
   * Ask for a token; `refresh`: for one in place of `refused`, which is the last one if that is another. Rejects as
   * `getToken` does, or after 10 s. Anything but a JWT comes as null.
   *
   * @param {{ refresh?: boolean, refused?: string | null }} [options]
   */
  async ask({ refresh = false, refused = null } = {}) {
    // who is refused cannot share an ask that may bring the same again, and must not overtake it either
    while (refresh && this.#asking?.refresh === false) await this.#asking.token.catch(() => {});
    if (refresh && this.#asking === null && this.hasOtherThan(refused)) return this.#last;
    this.#asking ??= { refresh, token: this.#fetch(refresh).finally(() => (this.#asking = null)) };
    return this.#asking.token;
  }

  /**
   * A token other than this came meanwhile.
   *
   * @param {string | null} token
   */
  hasOtherThan(token) {
    return this.#last !== null && this.#last !== token;
  }

  /** The last token, or a first one. */
  async last() {
    return this.#last ?? this.ask();
  }

  /** @param {boolean} refresh */
  async #fetch(refresh) {
    const token = await within(TOKEN_TIMEOUT_MS, Promise.resolve(this.#getToken({ refresh })), "getToken");
    this.#last = typeof token === "string" && JWT.test(token) ? token : null;
    return this.#last;
  }
}
