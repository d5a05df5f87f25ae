// What a person reads: pure, with `now` in milliseconds passed in.

export const UNKNOWN = "–"; // nobody tells it, which is not 0

/** As logs write it: an incident has no morning and no afternoon. */
const CLOCK = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;

/** @param {number | null | undefined} value */
export function count(value) {
  return value === null || value === undefined ? UNKNOWN : Math.round(value).toLocaleString("en");
}

/** @param {number | null | undefined} value a second */
export function rate(value) {
  if (value === null || value === undefined) return UNKNOWN;
  if (value === 0) return "0";
  if (value < 0.1) return "< 0.1";
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}

/** @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return UNKNOWN;
  if (seconds === 0) return "0 s";
  if (seconds < 0.001) return "< 1 ms";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 2 * MINUTE_S) return `${Math.round(seconds)} s`;
  if (seconds < 2 * HOUR_S) return `${Math.round(seconds / MINUTE_S)} min`;
  if (seconds < 2 * DAY_S) return `${Math.round(seconds / HOUR_S)} h`;
  return `${Math.round(seconds / DAY_S)} d`;
}

/** @param {number | null | undefined} bytes */
export function bytes(bytes) {
  if (bytes === null || bytes === undefined) return UNKNOWN;
  if (bytes < 1024) return `${bytes} B`;
  const kib = bytes / 1024;
  if (kib < 1024) return `${kib < 10 ? kib.toFixed(1) : Math.round(kib)} KiB`;
  return `${Math.round(kib / 1024).toLocaleString("en")} MiB`;
}

/** @param {number | null | undefined} share from 0 to 1 */
export function percent(share) {
  return share === null || share === undefined ? UNKNOWN : `${Math.round(share * 100)} %`;
}

/**
 * A moment as people here write it, with the date in front once it is another day.
 *
 * @param {string | number | null | undefined} at RFC 3339, or milliseconds
 * @param {number} now
 * @param {string} [locale]
 */
export function moment(at, now, locale) {
  if (at === null || at === undefined) return UNKNOWN;
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  const clock = date.toLocaleTimeString(locale, { ...CLOCK, second: "2-digit" });
  if (date.toDateString() === new Date(now).toDateString()) return clock;
  const day = date.toLocaleDateString(locale, { day: "numeric", month: "short", year: "numeric" });
  return `${day}, ${clock}`;
}

/** @param {number} at in milliseconds */
export function hourAndMinute(at) {
  return new Date(at).toLocaleTimeString(undefined, CLOCK);
}

/**
 * How long ago it was, or will be.
 *
 * @param {string | number | null | undefined} at
 * @param {number} now
 */
export function ago(at, now) {
  if (at === null || at === undefined) return UNKNOWN;
  const seconds = (now - new Date(at).getTime()) / 1000;
  if (Number.isNaN(seconds)) return "";
  if (Math.abs(seconds) < 2) return "just now"; // clocks differ
  return seconds < 0 ? `in ${duration(-seconds)}` : `${duration(seconds)} ago`;
}

/**
 * @param {number} number
 * @param {string} one
 * @param {string} [many]
 */
export function counted(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/**
 * JSON with line breaks where a text is JSON; else the text as it is.
 *
 * @param {string} text
 */
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // it is no JSON, and is shown as it is
  }
}
