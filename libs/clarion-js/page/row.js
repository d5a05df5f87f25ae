import { absolute, availableAt, LANE_LABELS, relative, safeLink } from "./format.js";

/** @import { Notification } from "/sdk/clarion.js" */

/**
 * One notification as a list item. All text goes in as text: what it says was written by others.
 *
 * @param {Notification} item
 * @param {{ now: number, isNew: boolean }} how
 */
export function makeRow(item, { now, isNew }) {
  const row = element("li", isNew ? "row is-new" : "row");
  row.dataset.lane = item.lane;
  row.dataset.id = item.id;
  row.tabIndex = -1;

  const meta = element("div", "row-meta");
  meta.append(element("span", "lane", LANE_LABELS[item.lane] ?? item.lane), element("span", "type", item.type));

  const message = element("p", "message");
  const href = safeLink(item.data?.url);
  message.append(href ? link(href, item.message) : item.message);

  const from = element("p", "from", item.sender);
  if (typeof item.data?.repository === "string") from.append(` · ${item.data.repository}`);

  const mark = element("button", "mark");
  mark.type = "button";
  mark.tabIndex = -1;

  row.append(meta, makeTime(item, now), message, from, mark);
  showRead(row, false);
  return row;
}

/**
 * It could be had before the page was connected, and came since.
 *
 * @param {HTMLElement} row
 */
export function showAway(row) {
  if (!row.querySelector(".away")) part(row, ".row-meta").append(element("span", "away", "while you were away"));
}

/**
 * @param {HTMLElement} row
 * @param {boolean} isRead
 */
export function showRead(row, isRead) {
  row.classList.toggle("is-read", isRead);
  const mark = part(row, ".mark");
  mark.textContent = isRead ? "Mark unread" : "Mark read";
  mark.setAttribute("aria-label", `${mark.textContent}: ${part(row, ".message").textContent?.slice(0, 80)}`);
}

/**
 * Rows keep one stop for the Tab key: the current one, with what is in it.
 *
 * @param {HTMLElement} row
 * @param {boolean} isCurrent
 */
export function setCurrent(row, isCurrent) {
  const tabIndex = isCurrent ? 0 : -1;
  row.tabIndex = tabIndex;
  for (const inner of /** @type {NodeListOf<HTMLElement>} */ (row.querySelectorAll("a, button"))) {
    inner.tabIndex = tabIndex;
  }
}

/**
 * @param {HTMLElement} row
 * @param {number} now
 */
export function showTime(row, now) {
  const time = /** @type {HTMLTimeElement} */ (part(row, "time"));
  const then = Date.parse(time.dateTime);
  const text = `${relative(then, now)} · ${absolute(then, now)}`;
  if (time.textContent !== text) time.textContent = text;
}

/**
 * @param {Notification} item
 * @param {number} now
 */
function makeTime(item, now) {
  const time = element("time", "when");
  const then = availableAt(item);
  time.dateTime = new Date(then).toISOString();
  time.title = new Date(then).toLocaleString();
  time.textContent = `${relative(then, now)} · ${absolute(then, now)}`;
  return time;
}

/**
 * @param {string} href
 * @param {string} text
 */
function link(href, text) {
  const anchor = element("a", "", text);
  anchor.href = href;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer";
  anchor.tabIndex = -1;
  return anchor;
}

/**
 * A part of a row, which all rows have.
 *
 * @param {HTMLElement} row
 * @param {string} selector
 */
function part(row, selector) {
  return /** @type {HTMLElement} */ (row.querySelector(selector));
}

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {string} className
 * @param {string} [text]
 */
function element(name, className, text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}
