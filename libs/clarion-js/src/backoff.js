import { RECONNECT_MAX_MS, RECONNECT_MIN_MS } from "./limits.js";

/**
 * Milliseconds to wait after the n-th failure (from 0): full jitter, uniform in [0, min(30 s, 0.5 s · 2ⁿ)].
 *
 * @param {number} failures
 * @param {() => number} [random] uniform in [0, 1)
 */
export function backoff(failures, random = Math.random) {
  return random() * Math.min(RECONNECT_MAX_MS, RECONNECT_MIN_MS * 2 ** Math.min(failures, 32));
}
