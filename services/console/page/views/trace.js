import { TRACE_WITHIN_MS } from "../api.js";
import { facts, h, pill, prose } from "../dom.js";
import { duration, moment } from "../format.js";
import { lookUpView } from "./look_up.js";

/**
 * @import { Context } from "../app.js"
 * @import { Story } from "../wire.js"
 */

/** @type {Record<string, string>} */
const TONES = { delivered: "good", read: "good", dead: "bad", lost: "bad", unknown: "bad" };

/** @param {Context} context */
export function traceView(context) {
  return lookUpView(context, {
    title: "Notification",
    about: "What became of one notification, step by step. Each look-up is noted in the audit log.",
    label: "Id of the notification",
    place: "trace",
    waiting: "MongoDB and Kafka are searched, which may take some seconds…",
    find: (id, signal) => context.api.get(`v1/trace/${encodeURIComponent(id)}`, { signal, withinMs: TRACE_WITHIN_MS }),
    show,
  });
}

/** @param {Story} story */
function show({ id, ending, summary, cure, steps, notes }) {
  const now = Date.now();
  const card = h(
    "div",
    { class: "card" },
    h("p", { class: "health-line" }, pill(TONES[ending] ?? "wait", ending), ` ${summary}.`),
    facts([
      ["Id", h("code", {}, id)],
      ["What to do", cure && prose(cure)],
    ]),
  );
  const first = steps.find(({ at }) => at !== null)?.at ?? null;
  const items = steps.map(({ at, what, detail }) =>
    h(
      "li",
      {},
      h("span", { class: "when" }, at === null ? "at an unknown time" : `${moment(at, now)}${after(first, at)}`),
      h("strong", {}, ` ${what}`),
      detail && ` ${detail}`,
    ),
  );
  return h(
    "div",
    { class: "stack" },
    card,
    steps.length > 0 &&
      h("section", { class: "card" }, h("h2", {}, "Its story"), h("ol", { class: "steps" }, ...items)),
    notes.length > 0 &&
      h(
        "section",
        { class: "card" },
        h("h2", {}, "What could not be looked at"),
        h("ul", {}, ...notes.map((note) => h("li", {}, note))),
      ),
  );
}

/**
 * @param {string | null} first
 * @param {string} at
 */
function after(first, at) {
  const seconds = first === null ? 0 : (Date.parse(at) - Date.parse(first)) / 1000;
  return seconds > 0 ? ` (+${duration(seconds)})` : "";
}
