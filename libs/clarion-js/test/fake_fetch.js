/**
 * @typedef {object} Asked what the SDK asks with
 * @property {string} [method]
 * @property {Record<string, string>} headers
 * @property {string} [body]
 * @property {AbortSignal} signal
 * @property {string} [credentials]
 */

/**
 * A fetch that is the test's.
 *
 * @param {(url: string, how: Asked) => Response | Promise<Response>} answer
 * @returns {typeof globalThis.fetch}
 */
export function fakeFetch(answer) {
  return async (url, how) => answer(String(url), /** @type {Asked} */ (how));
}
