import { messageOf } from "../api.js";
import { h, notice, pill, table } from "../dom.js";
import { moment } from "../format.js";
import { addressOf } from "../router.js";
import { input, select } from "./filter_form.js";

/**
 * @import { Context, View } from "../app.js"
 * @import { AuditEntry, AuditPage } from "../wire.js"
 */

const ACTIONS = ["dead_letters.edit", "dead_letters.replay", "dead_letters.purge", "trace.look_up", "user.look_up"];
/** @type {Record<string, string>} */
const TONES = { done: "good", failed: "bad", begun: "wait" };
const COLUMNS = [
  { label: "When" },
  { label: "Who" },
  { label: "Action" },
  { label: "With what" },
  { label: "Outcome" },
];

/** @param {Context} context */
export function auditView({ api, place, go, say }) {
  const controller = new AbortController();
  const list = h("div", {}, h("p", { class: "hint" }, "It is fetched…"));
  /** @type {AuditEntry[]} */
  let entries = [];

  /** @param {string | null} [cursor] */
  async function load(cursor = null) {
    try {
      const query = { who: place.query.get("who"), action: place.query.get("action"), cursor };
      /** @type {AuditPage} */
      const page = await api.get("v1/audit", { query, signal: controller.signal });
      entries = cursor ? [...entries, ...page.items] : page.items;
      const older = h(
        "button",
        { class: "button", type: "button", on: { click: () => load(page.next) } },
        "Show older ones",
      );
      const shown =
        entries.length > 0
          ? table("Audit log", COLUMNS, entries.map(row))
          : h("p", { class: "card quiet" }, "Nothing was done.");
      list.replaceChildren(shown, ...(page.next ? [older] : []));
      say(`${entries.length} entries shown`);
    } catch (error) {
      if (!controller.signal.aborted) list.replaceChildren(notice(messageOf(error)));
    }
  }

  /** @param {SubmitEvent} event */
  const submit = (event) => {
    event.preventDefault();
    const values = new FormData(/** @type {HTMLFormElement} */ (event.target));
    go(addressOf("audit", "", { who: String(values.get("who")).trim(), action: String(values.get("action")) }));
  };
  const form = h(
    "form",
    { class: "card filter", role: "search", "aria-label": "Which entries", on: { submit } },
    input("who", "Who", place.query),
    select(
      "action",
      "Action",
      ["", ...ACTIONS].map((value) => ({ value, label: value || "any" })),
      place.query,
    ),
    h("button", { class: "button primary", type: "submit" }, "Show"),
  );

  load();
  return /** @type {View} */ ({
    title: "Audit log",
    element: h(
      "div",
      { class: "stack" },
      h(
        "div",
        { class: "title" },
        h("h1", {}, "Audit log"),
        h("p", { class: "hint" }, "What operators changed or looked up, here and on the command line."),
      ),
      form,
      list,
    ),
    stop: () => controller.abort(),
  });
}

/** @param {AuditEntry} entry */
function row({ id, at, who, via, action, about, outcome, detail }) {
  return {
    key: id,
    cells: [
      moment(at, Date.now()),
      `${who} (${via})`,
      h("code", {}, action),
      h("code", { class: "about" }, told(about)),
      h("span", {}, pill(TONES[outcome] ?? "none", outcome), detail && ` ${detail}`),
    ],
  };
}

/** @param {Record<string, unknown>} about */
function told(about) {
  const parts = Object.entries(about).filter(([, value]) => value !== null && value !== false && value !== "");
  return parts.map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`).join(" ");
}
