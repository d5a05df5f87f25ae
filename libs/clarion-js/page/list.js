import { availableAt } from "./format.js";
import { ListControls } from "./list_controls.js";
import { NewItems } from "./new_items.js";
import { makeRow, showAway, showRead, showTime } from "./row.js";

export const SHOWN_ROWS = 200;
const TICK_MS = 10_000;
const GONE = "gone";

/**
 * @import { InboxItem, Lane, Notification } from "/sdk/clarion.js"
 *
 * @typedef {object} Entry a row of the list
 * @property {string} id
 * @property {number} at when it could be had, in milliseconds
 * @property {Lane} lane
 * @property {HTMLElement} row
 * @property {boolean} isRead
 * @property {boolean} isStored
 *
 * @typedef {object} Reading of the inbox, under way
 * @property {string[]} shown ids that the inbox should have
 * @property {Map<string, boolean | typeof GONE>} told what became of some meanwhile
 */

/** The list: newest first, at most SHOWN_ROWS. */
export class NotificationList {
  #list;
  /** @type {Entry[]} */
  #rows = []; // newest first, as in the list
  /** @type {Map<string, Entry>} */
  #byId = new Map();
  #new;
  #controls;
  /** @type {Reading | null} */
  #reading = null;
  #onMark;
  #onChange;
  #onShown;

  /** @type {Lane | null} */
  only = null; // null for all
  hasOlder = false; // some left the list, or never got in

  /**
   * @param {object} options
   * @param {HTMLElement} options.list
   * @param {(op: "read" | "unread", ids: string[]) => void} options.onMark when the person marks
   * @param {() => void} options.onChange after counts changed
   * @param {(items: Notification[]) => void} options.onShown after rows appeared
   */
  constructor({ list, onMark, onChange, onShown }) {
    this.#list = list;
    this.#new = new NewItems({ most: SHOWN_ROWS, draw: () => this.#flush() });
    this.#onMark = onMark;
    this.#onChange = onChange;
    this.#onShown = onShown;
    this.#controls = new ListControls({
      list,
      visible: () => this.#visible(),
      onMark: (entry, isRead) => this.#mark(entry, isRead),
    });
    list.addEventListener("animationend", ({ target }) => {
      if (target instanceof Element) target.classList.remove("is-new");
    });
    document.addEventListener("visibilitychange", () => this.#flush());
    setInterval(() => this.#tick(), TICK_MS);
  }

  /**
   * @param {Notification} item
   * @param {number} openedAt what could be had before is shown as having waited
   */
  add(item, openedAt) {
    const at = availableAt(item);
    this.#new.add({ item, at, isAway: at < openedAt });
  }

  clear() {
    this.#new.take();
    this.#rows = [];
    this.#byId.clear();
    this.#controls.makeCurrent(null);
    this.#reading = null;
    this.hasOlder = false;
    this.#list.replaceChildren();
    this.#onChange();
  }

  /** Returns the ids of the unread rows that are shown, and shows them as read. */
  readShown() {
    const ids = this.#visible()
      .filter((entry) => !entry.isRead)
      .map((entry) => entry.id);
    this.setRead(ids, true);
    return ids;
  }

  /**
   * @param {readonly string[]} ids
   * @param {boolean} isRead
   */
  setRead(ids, isRead) {
    this.#flush();
    this.#note(ids, isRead);
    for (const entry of this.#known(ids)) this.#setRead(entry, isRead);
    this.#onChange();
  }

  /** @param {readonly string[]} ids */
  remove(ids) {
    this.#flush();
    this.#note(ids, GONE);
    const gone = new Set(this.#known(ids));
    this.#rows = this.#rows.filter((entry) => !gone.has(entry));
    for (const entry of gone) this.#detach(entry);
    this.#onChange();
  }

  /** The inbox is about to be read: from here on, what is told is newer than what the reading will bring. */
  startReading() {
    this.#flush();
    // what came before it was stored may not be in the inbox yet
    const shown = this.#rows.filter((entry) => entry.isStored).map((entry) => entry.id);
    this.#reading = { shown, told: new Map() };
    return this.#reading;
  }

  /**
   * Show what the inbox has, the newest first, and nothing that it should have and has not.
   *
   * @param {Reading} reading
   * @param {readonly InboxItem[]} items
   * @param {boolean} isAll the inbox has no more
   */
  reconcile(reading, items, isAll) {
    if (reading !== this.#reading) return; // another user's
    this.#flush();
    this.#reading = null;
    const kept = new Set(items.map((item) => item.id));
    const oldest = isAll ? -Infinity : availableAt(items[items.length - 1]);
    const missing = this.#known(reading.shown).filter((entry) => entry.at > oldest && !kept.has(entry.id));
    this.remove(missing.map((entry) => entry.id));
    const now = Date.now();
    for (const item of [...items].reverse()) {
      const isRead = reading.told.get(item.id) ?? !item.unread;
      if (isRead === GONE) continue;
      this.#insert(item, { at: availableAt(item), isRead, now });
    }
    this.hasOlder ||= !isAll;
    this.#cutRows();
    this.#onChange();
  }

  /** @param {Lane | null} only */
  show(only) {
    this.only = only;
    if (only) this.#list.dataset.only = only;
    else delete this.#list.dataset.only;
    this.#controls.makeCurrent(this.#visible()[0]?.row ?? null);
    this.#onChange();
  }

  counts() {
    const counts = { urgent: 0, high: 0, normal: 0, low: 0 };
    for (const entry of this.#rows) counts[entry.lane]++;
    return { ...counts, all: this.#rows.length, visible: this.#visible().length };
  }

  hasUnreadShown() {
    return this.#visible().some((entry) => !entry.isRead);
  }

  #flush() {
    const { items, isCut } = this.#new.take();
    if (items.length === 0) return;
    this.hasOlder ||= isCut;
    const now = Date.now();
    for (const { item, at, isAway } of items) {
      const { row } = this.#insert(item, { at, now, isNew: true });
      if (isAway) showAway(row);
    }
    this.#cutRows();
    this.#onChange();
    this.#onShown(items.map((one) => one.item));
  }

  #cutRows() {
    for (const entry of this.#rows.splice(SHOWN_ROWS)) {
      this.hasOlder = true;
      this.#detach(entry);
    }
    // nobody is in the list: the Tab key enters it at the newest
    if (!this.#list.contains(document.activeElement)) this.#controls.makeCurrent(this.#visible()[0]?.row ?? null);
  }

  /**
   * @param {readonly string[]} ids
   * @param {boolean | typeof GONE} what
   */
  #note(ids, what) {
    if (this.#reading) for (const id of ids) this.#reading.told.set(id, what);
  }

  /**
   * What is shown already only learns whether it is read, and whether it is stored; live ones tell neither.
   *
   * @param {Notification} item
   * @param {{ at: number, now: number, isRead?: boolean, isNew?: boolean }} how
   * @returns {Entry}
   */
  #insert(item, { at, now, isRead, isNew = false }) {
    const known = this.#byId.get(item.id);
    if (known) {
      known.isStored ||= !item.unstored;
      if (isRead !== undefined) this.#setRead(known, isRead);
      return known;
    }
    const { id, lane, unstored } = item;
    const entry = { id, at, lane, row: makeRow(item, { now, isNew }), isRead: false, isStored: !unstored };
    if (isRead) this.#setRead(entry, isRead);
    const older = this.#rows.findIndex((other) => other.at <= at);
    const index = older === -1 ? this.#rows.length : older;
    this.#list.insertBefore(entry.row, this.#rows[index]?.row ?? null);
    this.#rows.splice(index, 0, entry);
    this.#byId.set(id, entry);
    return entry;
  }

  /**
   * @param {Entry} entry
   * @param {boolean} isRead
   */
  #setRead(entry, isRead) {
    entry.isRead = isRead;
    showRead(entry.row, isRead);
  }

  /** @param {Entry} entry */
  #detach({ id, row }) {
    const hadFocus = row.contains(document.activeElement);
    this.#byId.delete(id);
    row.remove();
    if (this.#controls.current !== row) return;
    const last = this.#visible().at(-1)?.row ?? null;
    this.#controls.makeCurrent(last);
    if (hadFocus) last?.focus();
  }

  /** @param {readonly string[]} ids */
  #known(ids) {
    return ids.map((id) => this.#byId.get(id)).filter((entry) => entry !== undefined);
  }

  #visible() {
    return this.only ? this.#rows.filter((entry) => entry.lane === this.only) : this.#rows;
  }

  #tick() {
    if (document.hidden) return;
    const now = Date.now();
    for (const entry of this.#rows) showTime(entry.row, now);
  }

  /**
   * @param {Entry} entry
   * @param {boolean} isRead
   */
  #mark(entry, isRead) {
    if (entry.isRead === isRead) return;
    this.setRead([entry.id], isRead);
    this.#onMark(isRead ? "read" : "unread", [entry.id]);
  }
}
