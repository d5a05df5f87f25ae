import { failure } from "./inbox.js";
import { WAITING_MARKS } from "./limits.js";
import { PostQueue } from "./post_queue.js";
import { CLOSE_NETWORK, CLOSE_TOKEN } from "./reconnect.js";
import { request } from "./request.js";
import { beside } from "./urls.js";

/**
 * @import { ClarionError } from "./errors.js"
 * @import { ClientFrame, Mark } from "./frames.js"
 * @import { ConnectionEnd } from "./reconnect.js"
 * @import { Fetch, NotTaken } from "./request.js"
 *
 * @typedef {{ session: string | null, tag: number, number: number }} Said
 */

/**
 * What the client of an event stream has to say. An acknowledgement stands for all before it, so one POST at a time is
 * enough, with the latest; a `pong` is one more of the same. Marks go one after the other, to the inbox.
 */
export class SseUplink {
  #onFailed;
  /** @type {Said} */
  #said = { session: null, tag: 0, number: 0 };
  #taken = 0; // the number of what the server took
  /** @type {Mark[]} */
  #marks = [];
  #acking;
  #marking;

  /**
   * @param {object} options
   * @param {Fetch} options.fetch
   * @param {string} options.url of the socket
   * @param {string} options.token
   * @param {() => number} [options.random]
   * @param {(end: ConnectionEnd) => void} options.onFailed no use to go on with this stream
   * @param {(error: ClarionError) => void} options.onError gets what marks were refused with
   */
  constructor({ fetch, url, token, random, onFailed, onError }) {
    /** @type {(path: string, content: object, controller: AbortController) => ReturnType<typeof request>} */
    const post = (path, content, controller) =>
      request(fetch, { method: "POST", url: beside(url, path), token, content, controller });
    /** @type {(answer: NotTaken, what: string) => void} */
    const fail = ({ status }, what) =>
      onFailed({ code: status === 401 ? CLOSE_TOKEN : CLOSE_NETWORK, reason: `${what} was refused: ${status}` });
    this.#onFailed = onFailed;
    /** @type {PostQueue<Said>} */
    this.#acking = new PostQueue({
      random,
      head: () => (this.#taken < this.#said.number ? this.#said : null),
      post: ({ session, tag }, controller) => post("stream/ack", { session, tag }, controller),
      taken: ({ number }) => (this.#taken = number),
      refused: (answer) => fail(answer, "an acknowledgement"),
    });
    /** @type {PostQueue<Mark>} */
    this.#marking = new PostQueue({
      random,
      head: () => this.#marks[0] ?? null,
      post: ({ op, ids }, controller) => post(`inbox/${op}`, { ids }, controller),
      taken: () => this.#marks.shift(),
      refused: (answer, { op }) => {
        if (answer.status === 401) return fail(answer, op);
        this.#marks.shift();
        onError(failure(answer));
      },
    });
  }

  /**
   * @param {ClientFrame} frame
   * @param {string | null} session
   */
  say(frame, session) {
    if (frame.op === "ack" || frame.op === "pong") {
      this.#said = { session, tag: frame.tag ?? this.#said.tag, number: this.#said.number + 1 };
      this.#acking.go();
    } else if (this.#marks.length < WAITING_MARKS) {
      this.#marks.push({ op: frame.op, ids: frame.ids });
      this.#marking.go();
    } else this.#onFailed({ code: CLOSE_NETWORK, reason: "the server does not take marks: the stream restarts" });
  }

  /**
   * Leaving, what was said still goes out; else it is the next connection that says it.
   *
   * @param {{ isLeaving: boolean }} how
   */
  close({ isLeaving }) {
    for (const queue of [this.#acking, this.#marking]) {
      if (isLeaving) queue.leave();
      else queue.close();
    }
  }
}
