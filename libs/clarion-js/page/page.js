import { Clarion } from "/sdk/clarion.js";

import { Announcer } from "./announcer.js";
import { devConfig, devSend, devToken } from "./dev_server.js";
import { NotificationList, SHOWN_ROWS } from "./list.js";
import { LANE_LABELS, LANES, stateText, unreadLabel } from "./format.js";
import { History } from "./history.js";

const OTHER = "\u0000other"; // no user can be called so: the value of "Someone else…"
const by = (id) => document.getElementById(id);

const announcer = new Announcer({ polite: by("polite"), assertive: by("assertive") });
const list = new NotificationList({
  list: by("list"),
  onMark: (op, ids) => tell(() => clarion[op](ids)),
  onChange: showCounts,
  onShown: (items) => announcer.arrived(items),
});
const chips = new Map();
let clarion = null;
let kept = null; // of the same user
let state = { name: "idle" };
let hint = "";
let again = null; // connects as before, where that can help

function connect(credentials) {
  clarion?.close();
  list.clear();
  showUnread(0);
  showNotice("");
  let openedAt = Infinity; // until the first connection stands, everything has waited
  const mine = new Clarion({ url: "/v1/ws", ...credentials });
  clarion = mine;
  kept = new History({
    list,
    read: (query) => mine.inbox(query),
    onError: (error) => mine === clarion && showNotice(`What is kept cannot be shown. ${error.message}`),
  });
  mine.on("notification", (item) => list.add(item, openedAt));
  mine.on("unread", (count) => mine === clarion && showUnread(count));
  mine.on("sync", (sync) => mine === clarion && onSync(sync));
  mine.on("resync", () => mine === clarion && kept.refresh());
  mine.on("error", (error) => {
    console.warn(error);
    showNotice(error.message);
  });
  mine.on("state", (next) => {
    if (mine !== clarion) return; // the closed one's last word
    if (next.name === "open") {
      openedAt = Date.now();
      showNotice("");
      kept.refresh(); // what changed while nothing could be told
    }
    showState(next);
  });
}

function onSync({ change, ids }) {
  if (change === "read" || change === "unread") list.setRead(ids, change === "read");
  if (["archived", "retracted", "expired", "collapsed"].includes(change)) list.remove(ids);
  if (["unarchived", "throttled"].includes(change)) kept.refresh(); // in the inbox, and never pushed
}

// ---- what is shown

function showState(next) {
  state = next.name === "waiting" ? { ...next, until: Date.now() + next.retryMs } : next;
  by("status").dataset.state = state.name;
  by("retry").hidden = state.name !== "waiting" && !(state.name === "closed" && again);
  by("retry").textContent = state.name === "waiting" ? "Retry now" : "Connect again";
  announcer.say(stateText(state, Date.now()));
  showStatusText();
  showCounts();
}

function showStatusText() {
  const text = stateText(state, Date.now());
  if (by("status-text").textContent !== text) by("status-text").textContent = text;
}

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
    number.textContent = counts[lane];
    chip.setAttribute("aria-pressed", String((list.only ?? "all") === lane));
  }
  const hasUnread = list.hasUnreadShown() || (list.only === null && clarion?.unreadCount > 0);
  by("read-all").disabled = clarion === null || state.name === "closed" || !hasUnread;
  by("list").classList.toggle("is-blank", counts.visible === 0);
  by("empty").hidden = counts.visible > 0;
  showEmpty(counts);
  by("cut").hidden = !list.hasOlder;
  by("cut").textContent = `The newest ${SHOWN_ROWS} are shown; older ones are kept.`;
}

function showEmpty(counts) {
  const isFiltered = counts.all > 0;
  by("empty-title").textContent = isFiltered ? `Nothing ${LANE_LABELS[list.only]?.toLowerCase()} here` : "All quiet";
  by("empty-hint").textContent = isFiltered ? "Choose All to see the other priorities." : hint;
}

function showNotice(text) {
  by("notice").hidden = text === "";
  by("notice").textContent = text;
}

/** A failure the person can do something about is shown, not thrown. */
function tell(action) {
  try {
    action();
  } catch (error) {
    showNotice(error.message);
  }
}

// ---- controls

function makeFilters() {
  for (const lane of ["all", ...LANES]) {
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
    chip.append(LANE_LABELS[lane] ?? "All", number);
    chip.addEventListener("click", () => list.show(lane === "all" || list.only === lane ? null : lane));
    chips.set(lane, { chip, number });
    by("filters").append(chip);
  }
}

function startDev(users) {
  const select = by("user");
  const wanted = new URLSearchParams(location.search).get("user");
  for (const user of users) select.add(new Option(user));
  select.add(new Option("Someone else…", OTHER));
  hint = "What arrives shows here at once. Press “Send one of each priority” to try it.";
  by("dev").hidden = false;

  const watch = (user) => {
    history.replaceState(null, "", `?user=${encodeURIComponent(user)}`); // so that a reload keeps it
    again = () => connect({ getToken: () => devToken(user) });
    again();
  };
  const chosen = () => (select.value === OTHER ? by("other").value.trim() : select.value);
  select.addEventListener("change", () => {
    by("other-field").hidden = select.value !== OTHER;
    if (select.value === OTHER) by("other").focus();
    else watch(chosen());
  });
  by("other").addEventListener("change", () => chosen() && watch(chosen()));
  by("dev").addEventListener("submit", (event) => event.preventDefault()); // Enter has fired change
  by("send").addEventListener("click", () => sendOneOfEach(chosen()));

  if (wanted && !users.includes(wanted)) {
    select.value = OTHER;
    by("other-field").hidden = false;
    by("other").value = wanted.slice(0, 128);
  } else if (wanted) select.value = wanted;
  if (chosen()) watch(chosen());
}

async function sendOneOfEach(user) {
  if (!user) return showNotice("Name a user first.");
  by("send").disabled = true;
  try {
    await devSend(user);
    showNotice("");
  } catch (error) {
    showNotice(`Not sent. ${error.message}`);
  } finally {
    by("send").disabled = false;
  }
}

function startProduction() {
  hint = "Paste an access token to connect. What waited for you comes first, then what arrives, as it arrives.";
  by("token-form").hidden = false;
  by("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const token = by("token").value.trim();
    by("token").value = "";
    hint = "You are connected to what comes next; it shows here at once.";
    connect({ token });
  });
}

/** Of one priority, those that are shown; of all, also those that are not. */
async function readAll() {
  const ids = list.readShown();
  if (list.only !== null) return tell(() => clarion.read(ids));
  try {
    await clarion.readAll();
  } catch (error) {
    showNotice(`Not marked. ${error.message}`);
    kept.refresh();
  }
}

async function start() {
  makeFilters();
  showCounts();
  by("retry").addEventListener("click", () => (state.name === "closed" ? again() : clarion.retryNow()));
  by("read-all").addEventListener("click", readAll);
  setInterval(() => state.name === "waiting" && showStatusText(), 250);
  try {
    const config = await devConfig();
    if (config) startDev(config.users);
    else startProduction();
  } catch (error) {
    showNotice(`The gateway cannot be reached: ${error.message}`);
  }
  showCounts();
}

await start();
