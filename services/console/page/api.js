// Asks the console, by paths relative to the page: a proxy may have it below a prefix. Errors are its problem details (RFC 9457), as sentences.

const WITHIN_MS = 30_000;
export const TRACE_WITHIN_MS = 60_000; // a trace takes up to 52 s

/** @import { Problem } from "./wire.js" */

/** A request that was refused, or not answered: `status` is 0 then. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

/** @typedef {Record<string, string | number | null | undefined>} Query of which empty values are left out */

/** Requests with the operator's token. `onRefused` is called when the token is not good, or not good any more. */
export class Api {
  #token;
  #onRefused;

  /**
   * @param {string} token
   * @param {(why: string) => void} onRefused
   */
  constructor(token, onRefused) {
    this.#token = token;
    this.#onRefused = onRefused;
  }

  /** @returns {Record<string, string>} */
  get headers() {
    return { authorization: `Bearer ${this.#token}` };
  }

  /**
   * @param {string} path
   * @param {{ query?: Query, signal?: AbortSignal, withinMs?: number }} [options]
   * @returns {Promise<any>}
   */
  get(path, { query = {}, signal, withinMs } = {}) {
    const there = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    const asked = new URLSearchParams(there.map(([name, value]) => [name, String(value)])).toString();
    return this.#ask(asked ? `${path}?${asked}` : path, { method: "GET" }, signal, withinMs);
  }

  /**
   * @param {"POST" | "PATCH"} method
   * @param {string} path
   * @param {object} body
   * @returns {Promise<any>}
   */
  send(method, path, body) {
    const headers = { "content-type": "application/json" };
    return this.#ask(path, { method, headers, body: JSON.stringify(body) });
  }

  /** @param {string} why */
  refused(why) {
    this.#onRefused(why);
  }

  /**
   * @param {string} path
   * @param {RequestInit} request
   * @param {AbortSignal} [signal]
   * @param {number} [withinMs]
   */
  async #ask(path, request, signal, withinMs = WITHIN_MS) {
    const deadline = AbortSignal.timeout(withinMs);
    const answer = await fetch(path, {
      ...request,
      headers: { ...request.headers, ...this.headers },
      cache: "no-store",
      credentials: "omit",
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    }).catch((error) => {
      if (signal?.aborted) throw error;
      const late = deadline.aborted ? `did not answer within ${withinMs / 1000} s` : "cannot be reached";
      throw new ApiError(0, `The console ${late}: try again.`);
    });
    if (answer.ok) return answer.json();
    const error = await refusalOf(answer);
    if (answer.status === 401 || answer.status === 403) this.#onRefused(error.message);
    throw error;
  }
}

/** @param {Response} answer */
export async function refusalOf(answer) {
  const problem = /** @type {Problem} */ (await answer.json().catch(() => ({})));
  const fields = (problem.errors ?? []).map(({ pointer, detail }) => `${pointer.slice(1) || "the request"}: ${detail}`);
  const text = fields.length > 0 ? fields.join("; ") : (problem.detail ?? `the console answered ${answer.status}`);
  return new ApiError(answer.status, sentence(text));
}

/**
 * An error as a person reads it: the server's begin in lower case and have no full stop.
 *
 * @param {string} text
 */
export function sentence(text) {
  const ended = /[.!?]$/.test(text) ? text : `${text}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}

/** @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
