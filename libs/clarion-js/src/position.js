import { GENERATIONS, OFFSETS, SINCE_CHARS } from "./limits.js";

/**
 * @typedef {readonly [generation: number, offset: number]} Ord
 * @typedef {Record<string, Ord>} Cursors by lane
 * @typedef {{ user: string, deployment: string }} Owner
 *
 * @typedef {object} Position
 * @property {Cursors} cursors
 * @property {string | null} since
 * @property {Owner | null} owner whom it belongs to; null of an earlier version
 * @property {string[]} dropped names what is damaged and was left out
 */

const LANES = new Set(["urgent", "high", "normal", "low"]);

/**
 * A place that a gateway takes: one that it cannot read ends the connection for good, each time.
 *
 * @param {string} lane
 * @param {unknown} ord
 * @returns {ord is Ord}
 */
export function isPlace(lane, ord) {
  if (!LANES.has(lane) || !Array.isArray(ord) || ord.length !== 2) return false;
  const [generation, offset] = ord;
  return isBelow(generation, GENERATIONS) && isBelow(offset, OFFSETS);
}

/**
 * @param {unknown} since
 * @returns {since is string}
 */
export function isSince(since) {
  return typeof since === "string" && since.length <= SINCE_CHARS;
}

/**
 * The position in a text that a storage gave, as far as it can be one.
 *
 * @param {string} text
 * @returns {Position}
 */
export function readPosition(text) {
  /** @type {Position} */
  const position = { cursors: {}, since: null, owner: null, dropped: [] };
  const saved = parse(text);
  if (!isRecord(saved)) return { ...position, dropped: ["all parts"] };
  const { cursors = {}, since = null, user, deployment } = saved;
  if (user !== undefined || deployment !== undefined) {
    if (typeof user !== "string" || typeof deployment !== "string") {
      return { ...position, dropped: ["all parts, since its user or deployment cannot be read"] };
    }
    position.owner = { user, deployment };
  }
  if (isRecord(cursors)) {
    for (const [lane, ord] of Object.entries(cursors)) {
      if (isPlace(lane, ord)) position.cursors[lane] = ord;
      else position.dropped.push(`the cursor of ${lane.slice(0, 20)}`);
    }
  } else position.dropped.push("cursors");
  if (since === null || isSince(since)) position.since = since;
  else position.dropped.push("since");
  return position;
}

/**
 * @param {string} text
 * @returns {unknown}
 */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * @param {number} number
 * @param {number} end
 */
function isBelow(number, end) {
  return Number.isSafeInteger(number) && number >= 0 && number < end;
}
