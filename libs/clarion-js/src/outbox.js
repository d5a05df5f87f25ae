import { backoff } from "./backoff.js";
import { FLUSH_MS, IDS_PER_FRAME, PENDING_MARKS } from "./limits.js";

/**
 * @import { Change } from "./clarion.js"
 * @import { Ack, Hello, Mark } from "./frames.js"
 *
 * @typedef {Mark["op"]} Op
 *
 * @typedef {object} Handled what an acknowledgement stands for
 * @property {number} [items]
 * @property {number} [size] in characters
 * @property {boolean} [isAll] nothing else waits to be handled
 */

// A later mark replaces an earlier one of its kind: read and then unread is unread. Archiving is a kind of its own.
const KIND = { read: "read", unread: "read", archive: "archive" };
// Which marks a change confirms. Those of a notification that is gone are settled, sent or not.
/** @type {Partial<Record<Change, Op[]>>} */
const CONFIRMS = { read: ["read"], unread: ["unread"], archived: ["archive"], unarchived: ["archive"] };
/** @type {Set<Change>} */
const GONE = new Set(["retracted", "expired"]);

/**
 * What is to be sent: the latest ack, and marks (read, unread, archive), which are kept until the server's `sync`
 * confirms them and are sent again on every new connection till then. Paced, to stay below the server's frame limit: by
 * the clock, since a browser slows the timers of a hidden page to one a minute. The timer only sends what nothing
 * follows.
 */
export class Outbox {
  /** @type {((frame: Ack | Mark) => void) | null} */
  #send = null; // of the open connection
  /** @type {number | null} */
  #ackDue = null;
  #unsaid = { items: 0, size: 0 }; // handled, and not acknowledged yet
  #credit = { items: Infinity, size: Infinity }; // the server sends no more than this before it hears of it
  #sentAt = -Infinity;
  /** @type {Map<string, { id: string, op: Op, isSent: boolean }>} */
  #marks = new Map(); // by "kind id"
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #random;
  #refusals = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #again;

  /** @param {{ random?: () => number }} [options] */
  constructor({ random = Math.random } = {}) {
    this.#random = random;
  }

  /**
   * Throws RangeError, and takes none of these, when more than PENDING_MARKS would wait to be sent.
   *
   * @param {Op} op
   * @param {string[]} ids
   */
  mark(op, ids) {
    /** @type {Map<string, string>} */
    const marked = new Map(ids.map((id) => [`${KIND[op]} ${id}`, id]));
    this.#refuseTooMany(marked);
    for (const [key, id] of marked) {
      this.#marks.delete(key);
      if (this.#marks.size >= PENDING_MARKS) this.#makeRoom();
      this.#marks.set(key, { id, op, isSent: false });
    }
    this.flush();
  }

  /**
   * Half of the server's credit is never kept waiting: with none left it sends nothing that the clock is looked at for.
   *
   * @param {number} tag
   * @param {Handled} [handled]
   */
  ack(tag, { items = 0, size = 0, isAll = false } = {}) {
    this.#ackDue = tag;
    this.#unsaid.items += items;
    this.#unsaid.size += size;
    const isMuch = this.#unsaid.items * 2 >= this.#credit.items || this.#unsaid.size * 2 >= this.#credit.size;
    if (isAll && isMuch) this.#sendNow();
    else this.flush();
  }

  /**
   * @param {(frame: Ack | Mark) => void} send
   * @param {Partial<Hello>} [hello] the server's
   */
  opened(send, hello = {}) {
    this.#send = send;
    this.#credit = { items: hello.window ?? Infinity, size: hello.window_bytes ?? Infinity };
    this.resend();
  }

  /** Send what is due, if the last was sent long enough ago. */
  flush() {
    const passed = Date.now() - this.#sentAt;
    if (this.#timer === undefined || passed >= FLUSH_MS || passed < 0) this.#sendNow();
  }

  /** Sends at once all that is due, since nothing can be sent later. */
  closing() {
    while (this.#sendDue());
    this.closed();
  }

  closed() {
    this.#send = null;
    this.#ackDue = null; // its tag means nothing to the next connection; `resume` says it there
    this.#unsaid = { items: 0, size: 0 };
    clearTimeout(this.#timer);
    this.#timer = undefined;
    clearTimeout(this.#again);
  }

  /** The server was too busy for one of the frames, and does not say for which. */
  refused() {
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.resend(), backoff(++this.#refusals, this.#random));
  }

  /**
   * @param {Change} change
   * @param {string[]} ids
   */
  synced(change, ids) {
    this.#refusals = 0;
    for (const id of ids) {
      for (const key of [`read ${id}`, `archive ${id}`]) {
        const mark = this.#marks.get(key);
        // what is not sent yet was wanted after whatever is told here
        if (mark && (GONE.has(change) || (mark.isSent && CONFIRMS[change]?.includes(mark.op)))) this.#marks.delete(key);
      }
    }
  }

  /** Marks are idempotent: sent again, they bring the `sync` that was missed. */
  resend() {
    for (const mark of this.#marks.values()) mark.isSent = false;
    this.flush();
  }

  /** @param {Map<string, string>} marked ids by their keys */
  #refuseTooMany(marked) {
    let waiting = marked.size;
    for (const [key, mark] of this.#marks) if (!mark.isSent && !marked.has(key)) waiting++;
    if (waiting <= PENDING_MARKS) return;
    const when = this.#send ? "a moment later" : "once the state is open";
    throw new RangeError(
      `${waiting} changes would wait to be sent, and at most ${PENDING_MARKS} may: make fewer, or try ${when}`,
    );
  }

  #makeRoom() {
    // the server has what was sent, only its word is missing; what was never sent must not be dropped silently
    for (const [key, mark] of this.#marks) {
      if (mark.isSent) return void this.#marks.delete(key);
    }
  }

  #sendNow() {
    if (!this.#sendDue()) return;
    clearTimeout(this.#timer);
    this.#sentAt = Date.now();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, FLUSH_MS);
  }

  #sendDue() {
    if (!this.#send) return false;
    const marks = this.#nextMarks();
    if (this.#ackDue === null && marks.length === 0) return false;
    if (this.#ackDue !== null) this.#send({ op: "ack", tag: this.#ackDue });
    this.#ackDue = null;
    this.#unsaid = { items: 0, size: 0 };
    if (marks.length > 0) this.#send({ op: marks[0].op, ids: marks.map((mark) => mark.id) });
    for (const mark of marks) mark.isSent = true;
    return true;
  }

  #nextMarks() {
    const due = [];
    for (const mark of this.#marks.values()) {
      if (mark.isSent || (due.length > 0 && mark.op !== due[0].op)) continue;
      if (due.push(mark) === IDS_PER_FRAME) break;
    }
    return due;
  }
}
