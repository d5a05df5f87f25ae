import { ClarionError } from "./errors.js";
import { isPlace, isSince, readPosition } from "./position.js";

/**
 * @import { Notification, ProgressStorage } from "./clarion.js"
 * @import { Hello, Resume } from "./frames.js"
 * @import { Cursors, Ord, Owner } from "./position.js"
 */

/**
 * How far each lane is handled, and `since`: what `resume` tells the server, which then sends the rest.
 *
 * Only handled notifications move it (D-handled-first). With `storage` it outlives the page, under a key of the user's
 * own.
 */
export class Progress {
  /** @type {Cursors} */
  #cursors = {};
  /** @type {string | null} */
  #since = null;
  /** @type {Owner | null} */
  #owner = null; // {user, deployment}, as the server told them: of others, none of it counts
  #isPlain = false;
  #storage;
  #key;
  /** @type {string | null} */
  #saved = null;
  #onError;

  /**
   * @param {object} options
   * @param {ProgressStorage} [options.storage]
   * @param {string} [options.user]
   * @param {(error: ClarionError) => void} options.onError
   */
  constructor({ storage, user, onError }) {
    this.#storage = storage;
    this.#key = `clarion.v1.${user}`;
    this.#onError = onError;
    this.#load();
  }

  /** @returns {Resume} */
  resume() {
    const owner = this.#isPlain ? null : this.#owner;
    return { op: "resume", cursors: { ...this.#cursors }, since: this.#since, ...owner };
  }

  /**
   * Whose all of this is, as a server tells it. Returns false when it was another's: then it begins again.
   *
   * @param {Pick<Hello, "user" | "deployment">} hello
   */
  belongsTo({ user, deployment }) {
    if (typeof user !== "string" || typeof deployment !== "string") return true; // a server of an earlier version
    const isSame = this.#owner === null || (this.#owner.user === user && this.#owner.deployment === deployment);
    if (!isSame) {
      this.#cursors = {};
      this.#since = null;
    }
    this.#owner = { user, deployment };
    return isSame;
  }

  /**
   * Their cursors are of lanes that are not there any more.
   *
   * @param {string[]} lanes
   */
  forget(lanes) {
    for (const lane of lanes) delete this.#cursors[lane];
  }

  /** Say nothing any more that an older gateway cannot read; false when nothing such was said. */
  speakPlainly() {
    const did = this.#owner !== null && !this.#isPlain;
    this.#isPlain = true;
    return did;
  }

  /**
   * `item` and everything before it in its lane is handled. A late, lower one (the server's safety net) moves nothing.
   *
   * @param {Notification} item
   */
  handled(item) {
    if (!isPlace(item.lane, item.ord)) return; // unstored: it has no place in the order yet; or of a later version
    const cursor = this.#cursors[item.lane];
    if (cursor === undefined || compare(item.ord, cursor) > 0) this.#cursors[item.lane] = [...item.ord];
  }

  /**
   * `item` was received and will not be handled now. `resume` acknowledges everything up to the cursor, so a late item
   * at or below it would be lost: the cursor steps back before it. Repeats that this brings are dropped by id.
   *
   * @param {Notification} item
   */
  unhandled(item) {
    stepBefore(item, this.#cursors);
  }

  /**
   * Everything the server sent before it told this `since` is handled.
   *
   * @param {string | null} [since]
   */
  reached(since) {
    if (isSince(since)) this.#since = since;
  }

  /**
   * `waiting` may be handled here yet; who resumes from storage has none of it: there the cursors are before it.
   *
   * @param {Iterable<Notification>} [waiting]
   */
  save(waiting = []) {
    if (!this.#storage) return;
    const cursors = { ...this.#cursors };
    for (const item of waiting) stepBefore(item, cursors);
    const text = JSON.stringify({ cursors, since: this.#since, ...this.#owner });
    if (text === this.#saved) return; // another tab may have come further meanwhile
    try {
      this.#storage.setItem(this.#key, text);
      this.#saved = text;
    } catch (cause) {
      this.#forgetStorage("cannot write: progress is kept in memory only", cause);
    }
  }

  /** What is damaged is dropped, said, and gone from the storage, too: the next page finds it mended. */
  #load() {
    if (!this.#storage) return;
    let text;
    try {
      text = this.#storage.getItem(this.#key) ?? null;
    } catch (cause) {
      return this.#forgetStorage("cannot read: starting afresh, progress is kept in memory only", cause);
    }
    if (text === null) return;
    const { cursors, since, owner, dropped } = readPosition(text);
    this.#owner = owner;
    this.#cursors = cursors;
    this.#since = since;
    if (dropped.length === 0) return;
    const what = `the stored progress was damaged, and these parts of it are left out: ${dropped.join(", ")}`;
    this.#onError(new ClarionError("storage", what));
    this.save();
  }

  /**
   * @param {string} what
   * @param {unknown} cause
   */
  #forgetStorage(what, cause) {
    this.#storage = undefined;
    this.#onError(new ClarionError("storage", what, { cause }));
  }
}

/**
 * @param {Notification} item
 * @param {Cursors} cursors
 */
function stepBefore({ lane, ord }, cursors) {
  if (cursors[lane] === undefined || !isPlace(lane, ord) || compare(ord, cursors[lane]) > 0) return;
  const [generation, offset] = ord;
  if (offset > 0) cursors[lane] = [generation, offset - 1];
  else delete cursors[lane];
}

/**
 * @param {Ord} ord
 * @param {Ord} other
 */
function compare([generation, offset], [otherGeneration, otherOffset]) {
  return generation - otherGeneration || offset - otherOffset;
}
