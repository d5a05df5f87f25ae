import { REQUEST_TIMEOUT_MS, RETRY_HINT_MAX_MS } from "./limits.js";

// Another try may succeed, and does no harm: what is asked of the server is idempotent.
export const NO_ANSWER = 0;
export const RETRIED = new Set([NO_ANSWER, 408, 429, 500, 502, 503, 504]);

/**
 * @typedef {typeof globalThis.fetch} Fetch
 *
 * @typedef {{ content: {} | null, status?: undefined }} Taken what the server said, null for nothing
 * @typedef {{ content?: undefined, status: number, retryMs: number, text?: string, cause?: unknown }} NotTaken
 */

/**
 * One try, 10 s at most; `controller` ends it sooner. `{content}`, or `{status, retryMs, text}`, or without any answer
 * `{status: 0, retryMs, cause}`. Never rejects.
 *
 * @param {Fetch} fetch
 * @param {object} what
 * @param {string} what.method
 * @param {string} what.url
 * @param {string} what.token
 * @param {object} [what.content] sent as JSON
 * @param {AbortController} [what.controller]
 * @returns {Promise<Taken | NotTaken>}
 */
export async function request(fetch, { method, url, token, content, controller = new AbortController() }) {
  const timer = setTimeout(() => controller.abort(), REQUEST_TIMEOUT_MS);
  /** @type {Record<string, string>} */
  const headers = { authorization: `Bearer ${token}` };
  if (content) headers["content-type"] = "application/json";
  const how = { method, headers, body: content && JSON.stringify(content), signal: controller.signal };
  try {
    const answer = await fetch(url, { ...how, credentials: "omit", cache: "no-store" });
    const away = ledAway(answer, url);
    if (away) return { status: NO_ANSWER, retryMs: 0, cause: new Error(away) };
    const text = await answer.text(); // the whole of it, within the same time
    if (answer.ok) return { content: text === "" ? null : JSON.parse(text) };
    return { status: answer.status, retryMs: retryAfterMs(answer), text };
  } catch (cause) {
    return { status: NO_ANSWER, retryMs: 0, cause };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * What is wrong with an answer of another origin: `fetch` goes there without the token, which is then called missing.
 *
 * @param {Pick<Response, "redirected" | "url">} answer
 * @param {string} url
 */
export function ledAway(answer, url) {
  if (!answer.redirected || !answer.url || new URL(answer.url).origin === new URL(url).origin) return null;
  return `the server redirects to ${new URL(answer.url).origin}, where no token is sent: use that address as url`;
}

/** @param {Response} answer */
export function retryAfterMs(answer) {
  const seconds = Number(answer.headers.get("retry-after"));
  return Number.isFinite(seconds) ? Math.min(seconds * 1000, RETRY_HINT_MAX_MS) : 0;
}
