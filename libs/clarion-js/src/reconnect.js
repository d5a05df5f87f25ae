import { backoff } from "./backoff.js";
import { RETRY_HINT_MAX_MS, STABLE_MS } from "./limits.js";

/**
 * How a connection ended.
 *
 * @typedef {object} ConnectionEnd
 * @property {number} code
 * @property {string} [reason]
 * @property {number} [retryMs] the server's own hint, from `bye` or `Retry-After`
 * @property {number} [attempt] how often a handler failed, for its own backoff
 * @property {boolean} [wasGreeted] `hello` had come
 * @property {boolean} [hasOtherToken] than the one that this connection began with
 * @property {boolean} [hadNoToken] none could be fetched
 */

export const CLOSE_NORMAL = 1000;
export const CLOSE_NETWORK = 1006; // no close frame came: the network, not a verdict
export const CLOSE_TRY_AGAIN = 1013;
export const CLOSE_PROTOCOL = 4400;
export const CLOSE_TOKEN = 4401;
export const CLOSE_FORBIDDEN = 4403;

const RETURN_ON = new Set([1000, 1001, 1005, CLOSE_NETWORK, 1011, 1012, CLOSE_TRY_AGAIN, 4408, 4429]);

/**
 * Whether and when to come back after a connection ended. `now` is passed in, in milliseconds.
 *
 * 4401 is worth one try with a fresh token. Only the refusal of that one, fetched for just this connection, is a
 * verdict: a token that was good for a while, or that an outage outlived, says nothing about the next. One that came
 * meanwhile is tried first: it may be as old by now, so it is not counted as that.
 */
export class Reconnect {
  #random;
  #canRefresh;
  #failures = 0;
  #refreshed = false;
  /** @type {number | null} */
  #openedAt = null;

  /** @param {{ canRefresh: boolean, random?: () => number }} options */
  constructor({ canRefresh, random = Math.random }) {
    this.#canRefresh = canRefresh;
    this.#random = random;
  }

  /** @param {number} now */
  opened(now) {
    this.#openedAt = now;
  }

  /**
   * When to come back, and whether with a fresh token; null: do not come back.
   *
   * @param {ConnectionEnd} end
   * @param {number} now
   * @returns {{ waitMs: number, refresh: boolean } | null}
   */
  after(end, now) {
    const wasStable = this.#openedAt !== null && now - this.#openedAt >= STABLE_MS;
    this.#openedAt = null;
    if (wasStable) {
      this.#failures = 0;
      this.#refreshed = false;
    }
    if (end.code === CLOSE_TOKEN) {
      if (!end.hasOtherToken && (this.#refreshed || !this.#canRefresh)) return null;
      this.#refreshed ||= !end.hasOtherToken;
      return { waitMs: backoff(0, this.#random), refresh: true };
    }
    if (!RETURN_ON.has(end.code)) return null;
    if (!end.hadNoToken) this.#refreshed = false; // the next one that is refused is not just fetched
    if (end.attempt !== undefined) return { waitMs: backoff(end.attempt - 1, this.#random), refresh: false };
    const hint = Math.min(Math.max(end.retryMs ?? 0, 0), RETRY_HINT_MAX_MS);
    return { waitMs: hint + backoff(this.#failures++, this.#random), refresh: false };
  }
}
