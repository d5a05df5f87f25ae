import { mock } from "node:test";

import { connect as connectBySocket, last } from "./connected.js";
import { fakeFetch } from "./fake_fetch.js";
import { HELLO, settle } from "./fake_socket.js";

/**
 * @import { Notification, Options } from "../src/clarion.js"
 * @import { ServerFrame } from "../src/frames.js"
 * @import { Asked } from "./fake_fetch.js"
 *
 * @typedef {{ session?: string, tag?: number, ids?: string[] }} Posted what a POST says
 *
 * @typedef {object} Streaming the test's side
 * @property {(path: string) => number | Error} [status] answers posts, and streams when it is not 200
 * @property {(got: Notification) => unknown} [handler]
 */

// a stream's session names its mailbox and the lease's epoch
export const hello = { ...HELLO, session: "3.7.s" };

/** A server's side of one stream. */
class FakeStream {
  /** @type {ReadableStreamDefaultController<Uint8Array> | undefined} */
  #body;

  /**
   * @param {string} url
   * @param {Asked} how
   */
  constructor(url, how) {
    this.resume = JSON.parse(new URL(url).searchParams.get("resume") ?? "null");
    this.how = how;
    const body = new ReadableStream({
      start: (controller) => {
        this.#body = controller;
      },
    });
    how.signal.addEventListener("abort", () => this.#body?.error(how.signal.reason));
    this.answer = new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  /** @param {ServerFrame} frame */
  async say(frame) {
    await this.#write(`data: ${JSON.stringify(frame)}\n\n`);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  async close(code, reason = "") {
    await this.#write(`event: close\ndata: ${JSON.stringify({ code, reason })}\n\n`);
  }

  async drop() {
    this.#body?.error(new TypeError("cut"));
    await settled();
  }

  /** @param {string} text */
  async #write(text) {
    this.#body?.enqueue(new TextEncoder().encode(text));
    await settled();
  }
}

/** What a stream was given is handed on. */
export async function settled() {
  for (let n = 0; n < 3; n++) await settle(); // a stream hands its pieces on in several rounds
}

/**
 * Time passes, and all that is due happens.
 *
 * @param {number} ms
 */
export async function later(ms) {
  await settled(); // what is to wait is waiting
  mock.timers.tick(ms);
  await settled();
}

/**
 * A Clarion whose sockets and streams are the test's.
 *
 * @param {Streaming & Partial<Options>} options
 */
export async function connect({ status = () => 200, handler = () => {}, ...options } = {}) {
  /** @type {FakeStream[]} */
  const streams = [];
  /** @type {[path: string, said: Posted, authorization: string][]} */
  const posts = [];
  const fetch = fakeFetch((url, how) => {
    const { pathname } = new URL(url);
    const code = status(pathname);
    if (code instanceof Error) throw code;
    const refusal = () => new Response("", { status: code, headers: { "retry-after": "7" } });
    if (how.method === "POST") {
      posts.push([pathname, JSON.parse(how.body ?? "null"), how.headers.authorization]);
      return code === 200
        ? new Response(pathname.includes("inbox") ? '{"unread":0}' : "", { status: code })
        : refusal();
    }
    if (code !== 200) return refusal();
    const stream = new FakeStream(url, how);
    streams.push(stream);
    return stream.answer;
  });
  const link = await connectBySocket({ fallback: true, fetch, ...options }, { handler });
  await settled();
  return {
    clarion: link.clarion,
    told: link.told,
    sockets: link.sockets,
    streams,
    posts,
    get socket() {
      return link.socket;
    },
    get stream() {
      return last(streams);
    },
  };
}

/**
 * The same, where no socket gets through.
 *
 * @param {Streaming & Partial<Options>} options
 */
export async function connectByStream(options = {}) {
  const link = await connect(options);
  link.socket.drop(1006);
  await later(250);
  if (link.streams.length > 0) await link.stream.say(hello);
  return link;
}
