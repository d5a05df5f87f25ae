import { messageOf } from "../../api.js";
import { h, notice, pill, table } from "../../dom.js";
import { count, counted, moment } from "../../format.js";
import { addressOf } from "../../router.js";
import { input, select } from "../filter_form.js";
import { Selection } from "./selection.js";

/**
 * @import { Context, View } from "../../app.js"
 * @import { Letter, Letters } from "../../wire.js"
 */

const REASONS = ["undecodable", "invalid", "id_conflict", "unstorable", "too_large", "unreadable", "foreign"];
const SINCE = [
  { value: "", label: "any time" },
  { value: "3600", label: "the last hour" },
  { value: "86400", label: "the last day" },
  { value: "604800", label: "the last week" },
];
const STATES = [
  { value: "kept", label: "waiting" },
  { value: "replayed", label: "replayed" },
  { value: "all", label: "all" },
];
const PAGE = 50;

/** @param {Context} context */
export function deadLettersView(context) {
  const { api, place } = context;
  const controller = new AbortController();
  const list = h("div", {}, h("p", { class: "hint" }, "They are fetched…"));
  const form = filterForm(place.query, (query) => context.go(addressOf("dead-letters", "", query)));
  const filter = filterOf(place.query);
  const selection = new Selection(context, { filter, onDone: load });
  /** @type {Letter[]} */
  let letters = [];

  /** @param {string | null} [cursor] */
  async function load(cursor = null) {
    try {
      const query = { ...filter, state: place.query.get("state") || "kept", limit: PAGE, cursor };
      /** @type {Letters} */
      const page = await api.get("v1/dead-letters", { query, signal: controller.signal });
      letters = cursor ? [...letters, ...page.items] : page.items;
      selection.clear();
      show(page.next);
      context.say(`${counted(letters.length, "dead letter")} shown`);
    } catch (error) {
      if (!controller.signal.aborted) list.replaceChildren(notice(messageOf(error)));
    }
  }

  /** @param {string | null} next */
  function show(next) {
    const has = letters.length > 0;
    const older = h("button", { class: "button", type: "button", on: { click: () => load(next) } }, "Show older ones");
    const isAll = Object.keys(filter).length === 0;
    const none = h("p", { class: "card quiet" }, isAll ? "There are none." : "No dead letter is like this.");
    list.replaceChildren(has ? table("Dead letters", columns(), letters.map(row)) : none, ...(next ? [older] : []));
    selection.shown(letters);
  }

  const columns = () => [
    { label: "Choose" },
    { label: "Died" },
    { label: "Reason" },
    { label: "Record" },
    { label: "For" },
    { label: "By" },
    { label: "Tried", end: true },
    { label: "State" },
  ];

  /** @param {Letter} letter */
  function row(letter) {
    const now = Date.now();
    return {
      key: letter.id,
      cells: [
        selection.box(letter),
        h("a", { href: addressOf("dead-letters", letter.id), title: letter.error }, moment(letter.at, now)),
        letter.reason,
        h("code", {}, `${letter.topic}/${letter.partition}/${letter.offset}`),
        letter.recipient ?? "",
        letter.sender ?? "",
        `${count(letter.attempts)}×`,
        stateOf(letter),
      ],
    };
  }

  load();
  return /** @type {View} */ ({
    title: "Dead letters",
    element: h(
      "div",
      { class: "stack" },
      h(
        "div",
        { class: "title" },
        h("h1", {}, "Dead letters"),
        h(
          "p",
          { class: "hint" },
          "Records that nobody could process. Mend their cause first, then edit and replay them, or purge them.",
        ),
      ),
      form,
      selection.element,
      list,
    ),
    stop: () => controller.abort(),
  });
}

/** @param {Letter} letter */
export function stateOf({ state, edited, obstacle }) {
  const text = state === "kept" ? "waiting" : state;
  const tone = state === "replayed" ? "good" : obstacle ? "bad" : "wait";
  return h(
    "span",
    {},
    pill(tone, text),
    edited && " edited",
    obstacle && h("span", { class: "hint" }, " cannot be replayed"),
  );
}

/**
 * The filter that an address names, as the console takes it.
 *
 * @param {URLSearchParams} query
 * @returns {Record<string, string>}
 */
export function filterOf(query) {
  /** @type {Record<string, string>} */
  const filter = {};
  for (const name of ["reason", "topic", "sender", "recipient", "notification"]) {
    const value = query.get(name);
    if (value) filter[name] = value;
  }
  const since = Number(query.get("since"));
  if (since > 0) filter.since = new Date(Date.now() - since * 1000).toISOString();
  return filter;
}

/**
 * @param {URLSearchParams} query
 * @param {(query: Record<string, string>) => void} onAsked
 */
function filterForm(query, onAsked) {
  const reason = select(
    "reason",
    "Reason",
    ["", ...REASONS].map((value) => ({ value, label: value || "any" })),
    query,
  );
  const fields = [
    reason,
    select("since", "Died within", SINCE, query),
    select("state", "State", STATES, query),
    input("topic", "Topic", query),
    input("recipient", "Recipient", query),
    input("sender", "Sender", query),
    input("notification", "Notification id", query),
  ];
  /** @param {SubmitEvent} event */
  const submit = (event) => {
    event.preventDefault();
    const values = new FormData(/** @type {HTMLFormElement} */ (event.target));
    onAsked(Object.fromEntries([...values].map(([name, value]) => [name, String(value).trim()])));
  };
  return h(
    "form",
    { class: "card filter", role: "search", "aria-label": "Which dead letters", on: { submit } },
    ...fields,
    h("button", { class: "button primary", type: "submit" }, "Show"),
  );
}
