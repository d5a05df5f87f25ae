import { Api, messageOf, sentence } from "./api.js";
import { askToConfirm } from "./confirm.js";
import { by, find, write } from "./dom.js";
import { Live } from "./live.js";
import { addressOf, placeOf } from "./router.js";
import { developmentToken, isDevelopment, savedToken, saveToken, subjectOf } from "./session.js";
import { auditView } from "./views/audit.js";
import { chartsView } from "./views/charts.js";
import { letterView } from "./views/dead_letters/letter.js";
import { deadLettersView } from "./views/dead_letters/list.js";
import { HEALTH, overviewView } from "./views/overview.js";
import { referenceView } from "./views/reference/reference.js";
import { traceView } from "./views/trace.js";
import { userView } from "./views/user.js";

/**
 * @import { LiveState } from "./live.js"
 * @import { Place } from "./router.js"
 * @import { Overview } from "./wire.js"
 *
 * @typedef {{
 *   api: Api,
 *   place: Place,
 *   overview: () => Overview | null,
 *   go: (address: string) => void,
 *   say: (text: string) => void,
 *   confirm: typeof askToConfirm,
 * }} Context what a view works with
 * @typedef {{
 *   title: string,
 *   element: HTMLElement,
 *   onOverview?: (overview: Overview) => void,
 *   stop?: () => void,
 * }} View one of the pages of the console; `stop` is called when another one takes its place
 */

/** @type {Record<string, (context: Context) => View>} */
const VIEWS = {
  overview: overviewView,
  charts: chartsView,
  "dead-letters": (context) => (context.place.rest ? letterView(context) : deadLettersView(context)),
  trace: traceView,
  users: userView,
  audit: auditView,
  reference: referenceView,
};

/** @type {Record<LiveState, string>} */
const LIVE_TEXT = { connecting: "Connecting…", live: "Live", waiting: "Not live, trying again" };

/** @type {Api | null} */
let api = null;
/** @type {Live | null} */
let live = null;
/** @type {View | null} */
let view = null;
/** @type {Overview | null} */
let overview = null;
let isDev = false;

// ---- who is there

/** @param {string} token */
function signIn(token) {
  saveToken(token);
  const mine = new Api(token, (why) => {
    if (mine === api) signOut(why); // and not once more, by another request that was under way
  });
  api = mine;
  live = new Live(api, { onOverview: showOverview, onState: showLive });
  by("sign-in").hidden = true;
  for (const id of ["shell", "bar-end"]) by(id).hidden = false;
  write(by("who"), subjectOf(token));
  show();
}

/** @param {string} why */
function signOut(why) {
  saveToken(null);
  live?.stop();
  view?.stop?.();
  api = live = view = overview = null;
  by("main").replaceChildren();
  for (const id of ["shell", "bar-end", "health"]) by(id).hidden = true;
  by("sign-in").hidden = false;
  by("token-field").hidden = isDev;
  by("name-field").hidden = !isDev;
  by("sign-in-notice").hidden = why === "";
  write(by("sign-in-notice"), why && sentence(why));
  document.title = "Sign in · Clarion console";
  by(isDev ? "name" : "token").focus();
}

async function submitted() {
  const field = find(isDev ? "name" : "token", HTMLInputElement);
  const text = field.value.trim();
  if (!text) return field.focus();
  try {
    const token = isDev ? await developmentToken(text) : text;
    field.value = "";
    signIn(token);
    by("main").focus();
  } catch (error) {
    signOut(messageOf(error));
  }
}

// ---- what is shown

function show() {
  if (!api) return;
  const place = placeOf(location.hash);
  const make = VIEWS[place.name];
  if (!make) return location.replace(addressOf("overview"));
  view?.stop?.();
  view = make({
    api,
    place,
    overview: () => overview,
    go: (address) => {
      if (location.hash === address) show();
      else location.hash = address;
    },
    say: (text) => write(by("polite"), text),
    confirm: askToConfirm,
  });
  by("main").replaceChildren(view.element);
  document.title = `${view.title} · Clarion console`;
  for (const link of by("nav").querySelectorAll("a")) {
    if (placeOf(link.hash).name === place.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (overview) view.onOverview?.(overview);
}

/** After a click on a link, keyboard and screen reader go on at the new content. */
function moved() {
  show();
  by("main").focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

/** @param {Overview} next */
function showOverview(next) {
  const before = overview;
  overview = next;
  const { tone, text } = HEALTH[next.status];
  by("health").hidden = false;
  by("health").dataset.tone = tone;
  write(by("health-text"), text);
  if (before && before.status !== next.status) write(by("assertive"), `The system: ${text}`);
  const known = new Set(before?.troubles.map(({ rule }) => rule));
  const opened = before ? next.troubles.filter(({ rule }) => !known.has(rule)) : [];
  if (opened.length > 0) write(by("assertive"), `New trouble: ${opened.map(({ what }) => what).join("; ")}`);
  view?.onOverview?.(next);
}

/**
 * @param {LiveState} state
 * @param {string} why
 */
function showLive(state, why) {
  by("live").dataset.state = state;
  by("live").title = why;
  write(by("live-text"), LIVE_TEXT[state]);
}

async function start() {
  window.addEventListener("hashchange", moved);
  by("sign-out").addEventListener("click", () => signOut(""));
  by("sign-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    submitted();
  });
  const token = savedToken();
  isDev = await isDevelopment().catch(() => false);
  if (token) signIn(token);
  else signOut("");
}

await start();
