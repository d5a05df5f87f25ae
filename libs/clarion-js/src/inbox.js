import { backoff } from "./backoff.js";
import { ClarionError, messageOf } from "./errors.js";
import { IDS_PER_FRAME, REQUEST_DEADLINE_MS } from "./limits.js";
import { NO_ANSWER, RETRIED, request } from "./request.js";
import { beside } from "./urls.js";

/**
 * @import { FieldError, InboxPage, InboxQuery } from "./clarion.js"
 * @import { Credentials } from "./credentials.js"
 * @import { Fetch, NotTaken } from "./request.js"
 */

/**
 * The inbox over HTTP. What it rejects with is a ClarionError of code `http`: `status`, and `errors` that name fields.
 */
export class Inbox {
  #url;
  #fetch;
  #credentials;
  #random;
  #isClosed = false;
  /** @type {Set<() => void>} */
  #stops = new Set();

  /**
   * @param {object} options
   * @param {string} options.url of the socket; the inbox is its neighbour
   * @param {Fetch} options.fetch
   * @param {Credentials} options.credentials
   * @param {() => number} [options.random]
   */
  constructor({ url, fetch, credentials, random = Math.random }) {
    this.#url = beside(url, "inbox");
    this.#fetch = fetch;
    this.#credentials = credentials;
    this.#random = random;
  }

  /**
   * @param {InboxQuery} [query]
   * @returns {Promise<InboxPage>}
   */
  page({ cursor, limit, unread, archived } = {}) {
    const asked = Object.entries({ cursor, limit, unread, archived })
      .filter(([, value]) => value != null)
      .map(([name, value]) => [name, String(value)]);
    return this.#ask("GET", `?${new URLSearchParams(asked)}`);
  }

  /** @returns {Promise<number>} */
  async count() {
    return (await this.#ask("GET", "/count")).unread;
  }

  /**
   * Returns the new count.
   *
   * @param {"unarchive"} verb
   * @param {string[]} ids
   * @returns {Promise<number>}
   */
  async mark(verb, ids) {
    if (ids.length === 0) return this.count();
    let count = 0;
    for (let start = 0; start < ids.length; start += IDS_PER_FRAME) {
      count = (await this.#ask("POST", `/${verb}`, { ids: ids.slice(start, start + IDS_PER_FRAME) })).unread;
    }
    return count;
  }

  /**
   * Returns the new count.
   *
   * @returns {Promise<number>}
   */
  async readAll() {
    for (;;) {
      const { unread, more } = await this.#ask("POST", "/read-all");
      if (!more) return unread;
    }
  }

  /** What is under way rejects, and whatever is asked from now on. */
  close() {
    this.#isClosed = true;
    for (const stop of this.#stops) stop();
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [content]
   * @returns {Promise<any>} what the server said
   */
  async #ask(method, path, content) {
    const deadline = Date.now() + REQUEST_DEADLINE_MS;
    /** @type {string | null} */
    let refused = null;
    for (let failures = 0; ; ) {
      const token = await this.#token(refused);
      const answer = await this.#try(method, path, { token, content });
      if (answer.content !== undefined) return answer.content;
      if (answer.status === 401 && this.#credentials.canRefresh && refused === null) {
        refused = token;
        continue;
      }
      const wait = answer.retryMs + backoff(failures++, this.#random);
      if (!RETRIED.has(answer.status) || Date.now() + wait > deadline) throw failure(answer);
      await this.#wait(wait);
    }
  }

  /** @param {string | null} refused */
  async #token(refused) {
    if (this.#isClosed) throw closed();
    let token;
    try {
      token = await (refused === null ? this.#credentials.last() : this.#credentials.ask({ refresh: true, refused }));
    } catch (cause) {
      throw new ClarionError("token", "getToken failed", { cause });
    }
    if (this.#isClosed) throw closed();
    if (token === null) throw new ClarionError("token", "the token is not a JWT");
    return token;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{ token: string, content?: object }} what
   */
  async #try(method, path, { token, content }) {
    const controller = new AbortController();
    const stop = () => controller.abort();
    this.#stops.add(stop);
    const answer = await request(this.#fetch, { method, url: this.#url + path, token, content, controller });
    this.#stops.delete(stop);
    if (this.#isClosed && answer.content === undefined) throw closed();
    return answer;
  }

  /**
   * @param {number} ms
   * @returns {Promise<void>}
   */
  #wait(ms) {
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        reject(closed());
      };
      const timer = setTimeout(() => {
        this.#stops.delete(stop);
        resolve();
      }, ms);
      this.#stops.add(stop);
    });
  }
}

function closed() {
  return new ClarionError("http", "this Clarion is closed: make another one");
}

/**
 * An answer that is none, as the error it means.
 *
 * @param {Omit<NotTaken, "content">} answer
 */
export function failure({ status, text = "", cause }) {
  if (status === NO_ANSWER) {
    return new ClarionError("http", `the inbox cannot be reached: ${messageOf(cause)}`, { cause });
  }
  const { detail = `the inbox answered ${status}`, errors = [] } = problemOf(text);
  const message = [detail, ...errors.map((error) => error.detail)].join("; ");
  return new ClarionError("http", message, { status, errors });
}

/**
 * What the server says; nothing when a proxy in between answered.
 *
 * @param {string} text
 * @returns {{ detail?: string, errors?: FieldError[] }}
 */
function problemOf(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
