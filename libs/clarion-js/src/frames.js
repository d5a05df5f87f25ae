/**
 * @import { Change, Notification } from "./clarion.js"
 * @import { Ord } from "./position.js"
 */

/**
 * What a server says. An earlier version leaves out what has a question mark, a later one may say more.
 *
 * @typedef {object} Hello
 * @property {"hello"} op
 * @property {string} session
 * @property {number} ping_s
 * @property {number} [window] how many items it sends before it hears of them
 * @property {number} [window_bytes]
 * @property {number | null} unread null: its store did not answer
 * @property {boolean} resumed
 * @property {boolean} degraded
 * @property {string | null} [since]
 * @property {string} [user] whose all of this is, and of which deployment
 * @property {string} [deployment]
 *
 * @typedef {{ op: "batch", tag: number, items: Notification[], since?: string | null }} Batch
 * @typedef {{ op: "sync", change: Change, ids: string[], unread: number }} SyncFrame
 * @typedef {{ op: "resync", forget?: string[] }} Resync
 * @typedef {{ op: "ping", since?: string | null }} Ping
 * @typedef {{ op: "bye", reason?: string, retry_ms: number }} Bye
 * @typedef {{ op: "error", code: string, detail: string }} ErrorFrame
 * @typedef {Hello | Batch | SyncFrame | Resync | Ping | Bye | ErrorFrame} ServerFrame
 */

/**
 * What a client says. `resume` is its first word, on a connection of any kind.
 *
 * @typedef {object} Resume
 * @property {"resume"} op
 * @property {Record<string, Ord>} cursors by lane
 * @property {string | null} since
 * @property {string} [user]
 * @property {string} [deployment]
 *
 * @typedef {{ op: "ack", tag: number }} Ack
 * @typedef {{ op: "pong", tag?: undefined }} Pong
 * @typedef {{ op: "read" | "unread" | "archive", ids: string[] }} Mark
 * @typedef {Ack | Pong | Mark} ClientFrame
 */

/** @param {any} value */
const isText = (value) => typeof value === "string";
/** @param {any} item */
const isItem = (item) => isText(item?.id) && isText(item.lane) && (item.unstored === true || Array.isArray(item.ord));

/**
 * What a frame of a known kind must have to be of use.
 *
 * @type {Record<string, (frame: any) => boolean>}
 */
const MUST_HAVE = {
  hello: ({ session, ping_s }) => isText(session) && Number.isFinite(ping_s),
  batch: ({ tag, items }) => Number.isSafeInteger(tag) && Array.isArray(items) && items.every(isItem),
  sync: ({ change, ids }) => isText(change) && Array.isArray(ids) && ids.every(isText),
  bye: ({ retry_ms }) => Number.isFinite(retry_ms),
};

/**
 * A frame of the server, also of a kind that a later version may know; null when it cannot be read.
 *
 * @param {any} text
 * @returns {ServerFrame | null}
 */
export function readFrame(text) {
  try {
    const frame = JSON.parse(text);
    const isReadable = isText(frame.op) && (!Object.hasOwn(MUST_HAVE, frame.op) || MUST_HAVE[frame.op](frame));
    return isReadable ? frame : null;
  } catch {
    return null; // no text, no JSON, or nothing that has fields
  }
}
