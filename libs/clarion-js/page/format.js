// What a person reads: pure, with `now` in milliseconds passed in.

/** @import { Lane, Notification, State } from "/sdk/clarion.js" */

/** @type {readonly Lane[]} */
export const LANES = ["urgent", "high", "normal", "low"];
/** @type {Readonly<Record<Lane, string>>} */
export const LANE_LABELS = { urgent: "Urgent", high: "High", normal: "Normal", low: "Low" };

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/**
 * @param {number} then
 * @param {number} now
 */
export function relative(then, now) {
  const ago = Math.max(0, now - then); // another clock may be ahead of ours
  if (ago < 10_000) return "just now";
  if (ago < MINUTE_MS) return `${Math.floor(ago / 1000)} s ago`;
  if (ago < HOUR_MS) return `${Math.floor(ago / MINUTE_MS)} min ago`;
  if (ago < DAY_MS) return `${Math.floor(ago / HOUR_MS)} h ago`;
  return `${Math.floor(ago / DAY_MS)} d ago`;
}

/**
 * When its user could have it first, in milliseconds; what an earlier version stored says only when it was made.
 *
 * @param {Pick<Notification, "available_at" | "created_at">} item
 */
export function availableAt(item) {
  return Date.parse(item.available_at ?? item.created_at);
}

/**
 * The time of day, with the date in front once it is another day.
 *
 * @param {number} then
 * @param {number} now
 * @param {string} [locale]
 */
export function absolute(then, now, locale) {
  const date = new Date(then);
  const isToday = date.toDateString() === new Date(now).toDateString();
  return isToday
    ? date.toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit" })
    : date.toLocaleString(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

/**
 * The server counts up to 100.
 *
 * @param {number} count
 */
export function unreadLabel(count) {
  return count >= 100 ? "99+" : String(count);
}

/**
 * A link only to https: `data` was written by others.
 *
 * @param {unknown} url
 */
export function safeLink(url) {
  if (typeof url !== "string") return null;
  try {
    const parsed = new URL(url);
    return parsed.protocol === "https:" ? parsed.href : null;
  } catch {
    return null; // no URL, so no link
  }
}

/**
 * Where the page's connection stands: before the first one, or as the SDK says, with the moment until which it waits.
 *
 * @typedef {Extract<State, { name: "waiting" }> & { until: number }} Waiting
 * @typedef {{ name: "idle" } | Exclude<State, { name: "waiting" }> | Waiting} ShownState
 */

/**
 * @param {ShownState} state
 * @param {number} now
 */
export function stateText(state, now) {
  switch (state.name) {
    case "idle":
      return "Not connected";
    case "connecting":
      return "Connecting…";
    case "open":
      return state.degraded ? "Live (limited: the store is away)" : "Live";
    case "waiting":
      return `Reconnecting in ${Math.max(1, Math.ceil((state.until - now) / 1000))}\u00a0s`;
    default:
      return `Closed: ${state.reason}`;
  }
}
