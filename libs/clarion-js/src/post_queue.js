import { backoff } from "./backoff.js";
import { CancellableDelay } from "./cancellable_delay.js";
import { RETRIED } from "./request.js";

/**
 * POSTs one after the other, each tried until it is taken. `head()` is what is next, null when there is nothing;
 * `post(head, controller)` one try of it; `taken(head)` that it was. `refused(answer)`: no use to try it again.
 */
export class PostQueue {
  #ends;
  #random;
  #isPosting = false;
  #isLeaving = false;
  #isClosed = false;
  #controller = null; // of the try that is under way
  #delay = new CancellableDelay();

  constructor({ random, ...ends }) {
    this.#ends = ends;
    this.#random = random;
  }

  async go() {
    if (this.#isPosting) return;
    this.#isPosting = true;
    const { head, post, taken, refused } = this.#ends;
    let next;
    for (let failures = 0; !this.#isClosed && (next = head()) !== null; ) {
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
