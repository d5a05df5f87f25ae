import { availableAt, LANES } from "./format.js";
import { makeRow, setCurrent, showAway, showRead, showTime } from "./row.js";

export const SHOWN_ROWS = 200;
const HIDDEN_FLUSH_MS = 250; // a hidden page gets no animation frames
const TICK_MS = 10_000;
const GONE = "gone";

/**
 * The list: newest first, at most SHOWN_ROWS, filled once an animation frame however much arrives.
 *
 * `onMark(op, ids)` when the person marks; `onChange()` after counts changed; `onShown(items)` after rows appeared.
 */
export class NotificationList {
  #list;
  #rows = []; // {id, at, row, isRead, isStored}, newest first, as in the list
  #byId = new Map();
  #arrived = [];
  #isScheduled = false;
  #current = null;
  #reading = null; // of the inbox, under way: {shown, told}
  #onMark;
  #onChange;
  #onShown;

  only = null; // a lane, or null for all
  hasOlder = false; // some left the list, or never got in

  constructor({ list, onMark, onChange, onShown }) {
    this.#list = list;
    this.#onMark = onMark;
    this.#onChange = onChange;
    this.#onShown = onShown;
    list.addEventListener("click", (event) => this.#onClick(event));
    list.addEventListener("keydown", (event) => this.#onKey(event));
    list.addEventListener("focusin", (event) => {
      const row = event.target.closest(".row");
      if (row) this.#makeCurrent(row); // else the list itself, by the skip link
    });
    list.addEventListener("animationend", (event) => event.target.classList.remove("is-new"));
    document.addEventListener("visibilitychange", () => this.#flush());
    setInterval(() => this.#tick(), TICK_MS);
  }

  /** `openedAt`: what could be had before is shown as having waited. */
  add(item, openedAt) {
    const at = availableAt(item);
    this.#arrived.push({ item, at, isAway: at < openedAt });
    if (this.#arrived.length > 2 * SHOWN_ROWS) this.#cutArrived();
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    if (document.hidden) setTimeout(() => this.#flush(), HIDDEN_FLUSH_MS);
    else requestAnimationFrame(() => this.#flush());
  }

  clear() {
    this.#arrived = [];
    this.#rows = [];
    this.#byId.clear();
    this.#current = null;
    this.#reading = null;
    this.hasOlder = false;
    this.#list.replaceChildren();
    this.#onChange();
  }

  /** Returns the ids of the unread rows that are shown, and shows them as read. */
  readShown() {
    const ids = this.#visible().filter((entry) => !entry.isRead).map((entry) => entry.id);
    this.setRead(ids, true);
    return ids;
  }

  setRead(ids, isRead) {
    this.#flush();
    this.#note(ids, isRead);
    for (const entry of this.#known(ids)) this.#setRead(entry, isRead);
    this.#onChange();
  }

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

  /** Show what the inbox has, the newest first, and nothing that it should have and has not. */
  reconcile(reading, items, isAll) {
    if (reading !== this.#reading) return; // another user's
    this.#flush();
    this.#reading = null;
    const kept = new Set(items.map((item) => item.id));
    const oldest = isAll ? -Infinity : availableAt(items.at(-1));
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

  show(only) {
    this.only = only;
    if (only) this.#list.dataset.only = only;
    else delete this.#list.dataset.only;
    this.#makeCurrent(this.#visible()[0]?.row ?? null);
    this.#onChange();
  }

  counts() {
    const counts = Object.fromEntries(LANES.map((lane) => [lane, 0]));
    for (const entry of this.#rows) counts[entry.row.dataset.lane]++;
    return { ...counts, all: this.#rows.length, visible: this.#visible().length };
  }

  hasUnreadShown() {
    return this.#visible().some((entry) => !entry.isRead);
  }

  #flush() {
    this.#isScheduled = false;
    if (this.#arrived.length === 0) return;
    this.#cutArrived();
    const now = Date.now();
    const arrived = this.#arrived;
    this.#arrived = [];
    for (const { item, at, isAway } of arrived) {
      this.#insert(item, { at, now, isNew: true });
      if (isAway) showAway(this.#byId.get(item.id).row);
    }
    this.#cutRows();
    this.#onChange();
    this.#onShown(arrived.map((one) => one.item));
  }

  #cutRows() {
    for (const entry of this.#rows.splice(SHOWN_ROWS)) {
      this.hasOlder = true;
      this.#detach(entry);
    }
    // nobody is in the list: the Tab key enters it at the newest
    if (!this.#list.contains(document.activeElement)) this.#makeCurrent(this.#visible()[0]?.row ?? null);
  }

  #note(ids, what) {
    if (this.#reading) for (const id of ids) this.#reading.told.set(id, what);
  }

  /** More arrived than the list can show: what would be cut is not even made. */
  #cutArrived() {
    if (this.#arrived.length <= SHOWN_ROWS) return;
    this.#arrived.sort((one, other) => one.at - other.at);
    this.hasOlder = true;
    this.#arrived = this.#arrived.slice(-SHOWN_ROWS);
  }

  /** What is shown already only learns whether it is read, and whether it is stored; live ones tell neither. */
  #insert(item, { at, now, isRead, isNew = false }) {
    const known = this.#byId.get(item.id);
    if (known) {
      known.isStored ||= !item.unstored;
      if (isRead !== undefined) this.#setRead(known, isRead);
      return;
    }
    const entry = { id: item.id, at, row: makeRow(item, { now, isNew }), isRead: false, isStored: !item.unstored };
    if (isRead) this.#setRead(entry, isRead);
    const older = this.#rows.findIndex((other) => other.at <= at);
    const index = older === -1 ? this.#rows.length : older;
    this.#list.insertBefore(entry.row, this.#rows[index]?.row ?? null);
    this.#rows.splice(index, 0, entry);
    this.#byId.set(item.id, entry);
  }

  #setRead(entry, isRead) {
    entry.isRead = isRead;
    showRead(entry.row, isRead);
  }

  #detach({ id, row }) {
    const hadFocus = row.contains(document.activeElement);
    this.#byId.delete(id);
    row.remove();
    if (this.#current !== row) return;
    this.#current = null;
    this.#makeCurrent(this.#visible().at(-1)?.row ?? null);
    if (hadFocus) this.#current?.focus();
  }

  #known(ids) {
    return ids.map((id) => this.#byId.get(id)).filter((entry) => entry !== undefined);
  }

  #visible() {
    return this.only ? this.#rows.filter((entry) => entry.row.dataset.lane === this.only) : this.#rows;
  }

  #tick() {
    if (document.hidden) return;
    const now = Date.now();
    for (const entry of this.#rows) showTime(entry.row, now);
  }

  #onClick(event) {
    const entry = this.#byId.get(event.target.closest(".row")?.dataset.id);
    if (!entry || String(getSelection())) return; // selecting text is not clicking
    if (event.target.closest(".mark")) this.#mark(entry, !entry.isRead);
    else if (!entry.isRead) this.#mark(entry, true);
  }

  #onKey(event) {
    const row = event.target;
    if (!row.classList.contains("row") || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = this.#visible();
    const index = rows.findIndex((entry) => entry.row === row);
    const target = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (target !== undefined) rows[target]?.row.focus();
    else if (event.key === "Enter" || event.key === " ") this.#mark(rows[index], true);
    else return;
    event.preventDefault();
  }

  #mark(entry, isRead) {
    if (entry.isRead === isRead) return;
    this.setRead([entry.id], isRead);
    this.#onMark(isRead ? "read" : "unread", [entry.id]);
  }

  #makeCurrent(row) {
    if (row === this.#current) return;
    if (this.#current) setCurrent(this.#current, false);
    this.#current = row;
    if (row) setCurrent(row, true);
  }
}
