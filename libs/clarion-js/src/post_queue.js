import { backoff } from "./backoff.js";
import { CancellableDelay } from "./cancellable_delay.js";
import { RETRIED } from "./request.js";

/**
 * @import { NotTaken, Taken } from "./request.js"
 */

/**
 * What is posted, and what becomes of it.
 *
 * @template Head
 * @typedef {object} Posting
 * @property {() => Head | null} head what is next; null when there is nothing
 * @property {(head: Head, controller: AbortController) => Promise<Taken | NotTaken>} post one try of it
 * @property {(head: Head) => void} taken
 * @property {(answer: NotTaken, head: Head) => void} refused no use to try it again
 */

/**
 * POSTs one after the other, each tried until it is taken.
 *
 * @template Head
 */
export class PostQueue {
  #posting;
  #random;
  #isPosting = false;
  #isLeaving = false;
  #isClosed = false;
  /** @type {AbortController | null} */
  #controller = null; // of the try that is under way
  #delay = new CancellableDelay();

  /** @param {Posting<Head> & { random?: () => number }} options */
  constructor({ random, ...posting }) {
    this.#posting = posting;
    this.#random = random;
  }

  async go() {
    if (this.#isPosting) return;
    this.#isPosting = true;
    const { head, post, taken, refused } = this.#posting;
    for (let failures = 0; !this.#isClosed; ) {
      const next = head();
      if (next === null) break;
      this.#controller = new AbortController();
      const answer = await post(next, this.#controller);
      if (answer.content !== undefined) {
        failures = 0;
        taken(next);
      } else if (this.#isClosed || this.#isLeaving) break;
      else if (RETRIED.has(answer.status)) await this.#delay.for(answer.retryMs + backoff(failures++, this.#random));
      else refused(answer, next);
    }
    this.#isPosting = false;
  }

  /** What is there still goes out, each tried once: as a socket's last words do. */
  leave() {
    this.#isLeaving = true;
    this.#delay.cancel();
  }

  /** Nothing goes out any more, as far as that can be helped: it would come after what is said elsewhere. */
  close() {
    this.#isClosed = true;
    this.#controller?.abort();
    this.#delay.cancel();
  }
}
