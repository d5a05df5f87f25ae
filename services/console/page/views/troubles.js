import { facts, h, pill, prose, write } from "../dom.js";
import { ago, counted } from "../format.js";

/** @import { Severity, Trouble } from "../wire.js" */

/** @type {Record<Severity, { tone: string, text: string }>} */
const SEVERITY = {
  critical: { tone: "bad", text: "Critical" },
  warning: { tone: "wait", text: "Warning" },
  info: { tone: "none", text: "Note" },
};
const NAMES_MOST = 6;
const OPEN_MOST = 1; // cause and cure of the first are shown at once, and of the others when they are opened
/** @type {Record<string, { address: string, text: string }>} */
const HERE = { "dead-letters": { address: "#/dead-letters", text: "Look at dead letters" } };

/** The list of open troubles. One that stays keeps its element, so that what somebody has opened stays open. */
export class Troubles {
  #none = h("p", { class: "card quiet" }, "None: no rule of the runbook holds.");
  #list = h("ul", { class: "troubles", hidden: true });
  /** @type {Map<string, { element: HTMLLIElement, show: (trouble: Trouble, now: number) => void }>} */
  #shown = new Map();

  element = h("div", {}, this.#none, this.#list);

  /**
   * @param {Trouble[]} troubles the most severe first
   * @param {number} now
   */
  show(troubles, now) {
    const keys = troubles.map(({ rule, what, seen_by }) => `${rule} ${seen_by.length > 0 ? "" : labelless(what)}`);
    const before = this.#shown;
    this.#shown = new Map();
    for (const [index, trouble] of troubles.entries()) {
      let key = keys[index];
      while (this.#shown.has(key)) key += "+"; // of the same rule, with other labels
      const item = before.get(key) ?? makeItem(index < OPEN_MOST);
      item.show(trouble, now);
      this.#shown.set(key, item);
    }
    const elements = [...this.#shown.values()].map(({ element }) => element);
    const isSame =
      elements.length === this.#list.children.length && elements.every((one, i) => one === this.#list.children[i]);
    if (!isSame) this.#list.replaceChildren(...elements);
    this.#list.hidden = elements.length === 0;
    this.#none.hidden = elements.length > 0;
  }
}

/** @param {string} what of which the numbers change from look to look */
function labelless(what) {
  return what.replace(/[\d.,]+/g, "#");
}

/** @param {boolean} isOpen at first */
function makeItem(isOpen) {
  const severity = pill("none", "");
  const title = h("strong", {});
  const since = h("span", { class: "when" });
  const what = h("span", { class: "trouble-what" });
  const more = h("div", { class: "trouble-more" });
  const element = h(
    "li",
    { class: "trouble" },
    h("details", { open: isOpen }, h("summary", {}, severity, title, since, what), more),
  );
  let told = "";
  /**
   * @param {Trouble} trouble
   * @param {number} now
   */
  function show(trouble, now) {
    const { tone, text } = SEVERITY[trouble.severity];
    element.dataset.rule = trouble.rule;
    element.dataset.tone = tone;
    severity.dataset.tone = tone;
    write(severity, text);
    write(title, trouble.title);
    write(since, trouble.since ? `since ${ago(trouble.since, now).replace(" ago", "")}` : "");
    write(what, `${trouble.what}.`);
    const next = JSON.stringify([trouble.cause, trouble.cure, trouble.seen_by]);
    if (next === told) return;
    told = next;
    const here = HERE[trouble.rule];
    more.replaceChildren(
      facts([
        ["Why", prose(trouble.cause)],
        ["What to do", prose(trouble.cure)],
        ["Here", here && h("a", { href: here.address }, here.text)],
        ["Seen by", names(trouble.seen_by)],
        ["More in", h("code", {}, trouble.runbook)],
      ]),
    );
  }
  return { element, show };
}

/** @param {string[]} names */
function names(names) {
  if (names.length === 0) return "the console, of all processes together";
  const more = names.length - NAMES_MOST;
  return names.slice(0, NAMES_MOST).join(", ") + (more > 0 ? ` and ${counted(more, "other")}` : "");
}
