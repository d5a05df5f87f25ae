import { backoff } from "./backoff.js";
import { Pause } from "./pause.js";
import { CLOSE_NETWORK, CLOSE_TOKEN } from "./reconnect.js";
import { request, RETRIED } from "./request.js";
import { WAITING_MARKS } from "./limits.js";

/**
 * What the client of an event stream has to say. An acknowledgement stands for all before it, so one POST at a time is
 * enough, with the latest; a `pong` is one more of the same. Marks (`mark(op, ids)`) go one after the other.
 */
export class Speaker {
  #how;
  #mark;
  #random;
  #onFailed;
  #session = null;
  #tag = 0;
  #isDue = false;
  #isPosting = false;
  #isClosed = false;
  #marks = Promise.resolve();
  #marksWaiting = 0;
  #pause = new Pause();

  /** `onFailed(end)`: no use to go on with this stream. */
  constructor({ fetch, url, token, mark, random, onFailed }) {
    this.#how = (content) => request(fetch, { method: "POST", url, token, content });
    this.#mark = mark;
    this.#random = random;
    this.#onFailed = onFailed;
  }

  say(frame, session) {
    if (frame.op === "ack" || frame.op === "pong") {
      this.#session = session;
      this.#tag = frame.tag ?? this.#tag;
      this.#isDue = true;
      this.#post();
    } else if (frame.ids) this.#markNext(frame.op, frame.ids);
  }

  /** No more tries; what is on its way stays so, as a socket's last words do. */
  close() {
    this.#isClosed = true;
    this.#pause.cut();
  }

  async #post() {
    if (this.#isPosting) return;
    this.#isPosting = true;
    for (let failures = 0; this.#isDue; ) {
      this.#isDue = false;
      const answer = await this.#how({ session: this.#session, tag: this.#tag });
      if (answer.content !== undefined) failures = 0;
      else if (this.#isClosed) break;
      else if (RETRIED.has(answer.status)) {
        this.#isDue = true;
        await this.#pause.for(answer.retryMs + backoff(failures++, this.#random));
        if (this.#isClosed) break;
      } else {
        this.#fail(answer.status);
        break;
      }
    }
    this.#isPosting = false;
  }

  #fail(status) {
    const code = status === 401 ? CLOSE_TOKEN : CLOSE_NETWORK;
    this.#onFailed({ code, reason: `an acknowledgement was refused: ${status}` });
  }

  #markNext(op, ids) {
    if (this.#marksWaiting >= WAITING_MARKS) {
      return this.#onFailed({ code: CLOSE_NETWORK, reason: "marks are not taken: beginning again" });
    }
    this.#marksWaiting++;
    this.#marks = this.#marks.then(() => this.#mark(op, ids)).finally(() => this.#marksWaiting--);
  }
}
