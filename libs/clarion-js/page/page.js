import { Clarion } from "../sdk/clarion.js";

import { Announcer } from "./announcer.js";
import { devConfig, devSend, devToken } from "./dev_server.js";
import { button, by, input, select } from "./elements.js";
import { LANE_LABELS, LANES, stateText, unreadLabel } from "./format.js";
import { History } from "./history.js";
import { NotificationList, SHOWN_ROWS } from "./list.js";

/**
 * @import { Lane, State, Sync } from "/sdk/clarion.js"
 * @import { ShownState } from "./format.js"
 *
 * @typedef {{ token: string } | { getToken: () => Promise<string> }} Credentials
 */

const OTHER = "\u0000other"; // no user can be called so: the value of "Someone else…"

const announcer = new Announcer({ polite: by("polite"), assertive: by("assertive") });
const list = new NotificationList({
  list: by("list"),
  onMark: (op, ids) => tell(() => clarion?.[op](ids)),
  onChange: showCounts,
  onShown: (items) => announcer.arrived(items),
});
/** @type {Map<Lane | "all", { chip: HTMLButtonElement, number: HTMLElement }>} */
const chips = new Map();
/** @type {Clarion | null} */
let clarion = null;
/** @type {History | null} */
let kept = null; // of the same user
/** @type {ShownState} */
let state = { name: "idle" };
let hint = "";
/** @type {(() => void) | null} */
let again = null; // connects as before, where that can help

/** @param {Credentials} credentials */
function connect(credentials) {
  clarion?.close();
  list.clear();
  showUnread(0);
  showNotice("");
  let openedAt = Infinity; // until the first connection stands, everything has waited
  const mine = new Clarion({ url: "v1/ws", ...credentials });
  clarion = mine;
  const mineKept = new History({
    list,
    read: (query) => mine.inbox(query),
    onError: (error) => mine === clarion && showNotice(`What is kept cannot be shown. ${error.message}`),
  });
  kept = mineKept;
  mine.on("notification", (item) => list.add(item, openedAt));
  mine.on("unread", (count) => mine === clarion && showUnread(count));
  mine.on("sync", (sync) => mine === clarion && onSync(sync));
  mine.on("resync", () => mine === clarion && mineKept.refresh());
  mine.on("error", (error) => {
    console.warn(error);
    showNotice(error.message);
  });
  mine.on("state", (next) => {
    if (mine !== clarion) return; // the closed one's last word
    if (next.name === "open") {
      openedAt = Date.now();
      showNotice("");
      mineKept.refresh(); // what changed while nothing could be told
    }
    showState(next);
  });
}

/** @param {Sync} sync */
function onSync({ change, ids }) {
  if (change === "read" || change === "unread") list.setRead(ids, change === "read");
  if (["archived", "retracted", "expired", "collapsed"].includes(change)) list.remove(ids);
  if (["unarchived", "throttled"].includes(change)) kept?.refresh(); // in the inbox, and never pushed
}

// ---- what is shown

/** @param {State} next */
function showState(next) {
  const shown = next.name === "waiting" ? { ...next, until: Date.now() + next.retryMs } : next;
  state = shown;
  by("status").dataset.state = shown.name;
  by("retry").hidden = shown.name !== "waiting" && !(shown.name === "closed" && again);
  by("retry").textContent = shown.name === "waiting" ? "Retry now" : "Connect again";
  announcer.say(stateText(shown, Date.now()));
  showStatusText();
  showCounts();
}

function showStatusText() {
  const text = stateText(state, Date.now());
  if (by("status-text").textContent !== text) by("status-text").textContent = text;
}

/** @param {number} count */
function showUnread(count) {
  const badge = by("unread");
  badge.hidden = count === 0;
  by("unread-count").textContent = unreadLabel(count);
  document.title = count === 0 ? "Clarion" : `(${unreadLabel(count)}) Clarion`;
  showCounts();
}

function showCounts() {
  const counts = list.counts();
  for (const [lane, { chip, number }] of chips) {
    number.textContent = String(counts[lane]);
    chip.setAttribute("aria-pressed", String((list.only ?? "all") === lane));
  }
  const hasUnread = list.hasUnreadShown() || (list.only === null && (clarion?.unreadCount ?? 0) > 0);
  button("read-all").disabled = clarion === null || state.name === "closed" || !hasUnread;
  by("list").classList.toggle("is-blank", counts.visible === 0);
  by("empty").hidden = counts.visible > 0;
  showEmpty(counts);
  by("cut").hidden = !list.hasOlder;
  by("cut").textContent = `The newest ${SHOWN_ROWS} are shown; older ones are kept.`;
}

/** @param {{ all: number }} counts */
function showEmpty(counts) {
  const isFiltered = counts.all > 0;
  const label = list.only === null ? "" : LANE_LABELS[list.only].toLowerCase();
  by("empty-title").textContent = isFiltered ? `Nothing ${label} here` : "All quiet";
  by("empty-hint").textContent = isFiltered ? "Choose All to see the other priorities." : hint;
}

/** @param {string} text */
function showNotice(text) {
  by("notice").hidden = text === "";
  by("notice").textContent = text;
}

/**
 * A failure the person can do something about is shown, not thrown.
 *
 * @param {() => void} action
 */
function tell(action) {
  try {
    action();
  } catch (error) {
    showNotice(messageOf(error));
  }
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

// ---- controls

function makeFilters() {
  for (const lane of /** @type {const} */ (["all", ...LANES])) {
    const chip = document.createElement("button");
    const number = document.createElement("span");
    chip.type = "button";
    chip.className = "chip";
    number.className = "chip-count";
    if (lane !== "all") {
      chip.dataset.lane = lane;
      const dot = document.createElement("span");
      dot.className = "chip-dot";
      chip.append(dot);
    }
    chip.append(lane === "all" ? "All" : LANE_LABELS[lane], number);
    chip.addEventListener("click", () => list.show(lane === "all" || list.only === lane ? null : lane));
    chips.set(lane, { chip, number });
    by("filters").append(chip);
  }
}

/** @param {string[]} users */
function startDev(users) {
  const user = select("user");
  const wanted = new URLSearchParams(location.search).get("user");
  for (const name of users) user.add(new Option(name));
  user.add(new Option("Someone else…", OTHER));
  hint = "What arrives shows here at once. Press “Send one of each priority” to try it.";
  by("dev").hidden = false;

  /** @param {string} name */
  const watch = (name) => {
    history.replaceState(null, "", `?user=${encodeURIComponent(name)}`); // so that a reload keeps it
    again = () => connect({ getToken: () => devToken(name) });
    again();
  };
  const chosen = () => (user.value === OTHER ? input("other").value.trim() : user.value);
  user.addEventListener("change", () => {
    by("other-field").hidden = user.value !== OTHER;
    if (user.value === OTHER) by("other").focus();
    else watch(chosen());
  });
  by("other").addEventListener("change", () => chosen() && watch(chosen()));
  by("dev").addEventListener("submit", (event) => event.preventDefault()); // Enter has fired change
  by("send").addEventListener("click", () => sendOneOfEach(chosen()));

  if (wanted && !users.includes(wanted)) {
    user.value = OTHER;
    by("other-field").hidden = false;
    input("other").value = wanted.slice(0, 128);
  } else if (wanted) user.value = wanted;
  if (chosen()) watch(chosen());
}

/** @param {string} user */
async function sendOneOfEach(user) {
  if (!user) return showNotice("Name a user first.");
  button("send").disabled = true;
  try {
    await devSend(user);
    showNotice("");
  } catch (error) {
    showNotice(`Not sent. ${messageOf(error)}`);
  } finally {
    button("send").disabled = false;
  }
}

function startProduction() {
  hint = "Paste an access token to connect. What waited for you comes first, then what arrives, as it arrives.";
  by("token-form").hidden = false;
  by("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const token = input("token").value.trim();
    input("token").value = "";
    hint = "You are connected to what comes next; it shows here at once.";
    connect({ token });
  });
}

/** Of one priority, those that are shown; of all, also those that are not. */
async function readAll() {
  const ids = list.readShown();
  if (list.only !== null) return tell(() => clarion?.read(ids));
  try {
    await clarion?.readAll();
  } catch (error) {
    showNotice(`Not marked. ${messageOf(error)}`);
    kept?.refresh();
  }
}

async function start() {
  makeFilters();
  showCounts();
  by("retry").addEventListener("click", () => (state.name === "closed" ? again?.() : clarion?.retryNow()));
  by("read-all").addEventListener("click", readAll);
  setInterval(() => state.name === "waiting" && showStatusText(), 250);
  try {
    const config = await devConfig();
    if (config) startDev(config.users);
    else startProduction();
  } catch (error) {
    showNotice(`The gateway cannot be reached: ${messageOf(error)}`);
  }
  showCounts();
}

await start();
