import { messageOf } from "../../api.js";
import { h, notice, write } from "../../dom.js";
import { counted } from "../../format.js";

/**
 * @import { Context } from "../../app.js"
 * @import { Letter, Purged, Replayed } from "../../wire.js"
 *
 * @typedef {{ ids: string[] } | { filter: Record<string, string> } | { all: true }} Chosen
 */

const RESULTS_MOST = 20;

/** Which letters are chosen, and what is done with them: replayed or purged, each after a question that says how many. */
export class Selection {
  #context;
  #filter;
  #onDone;
  /** @type {Map<string, HTMLInputElement>} */
  #boxes = new Map();
  #say = h("span", { class: "hint" });
  #replay = this.#button("Replay", () => this.#begin("replay"));
  #purge = this.#button("Purge", () => this.#begin("purge"));
  #result = h("div", { class: "results", role: "status" });
  #bar = h("div", { class: "actions", hidden: true }, this.#replay, this.#purge, this.#say);

  element = h("div", {}, this.#bar, this.#result);

  /**
   * @param {Context} context
   * @param {{ filter: Record<string, string>, onDone: () => void }} about
   */
  constructor(context, { filter, onDone }) {
    this.#context = context;
    this.#filter = filter;
    this.#onDone = onDone;
  }

  clear() {
    this.#boxes.clear();
  }

  /** @param {Letter} letter */
  box(letter) {
    const label = `Choose ${letter.id}`;
    const box = h("input", { type: "checkbox", "aria-label": label, on: { change: () => this.#changed() } });
    this.#boxes.set(letter.id, box);
    return box;
  }

  /** @param {Letter[]} letters */
  shown(letters) {
    this.#bar.hidden = letters.length === 0;
    this.element.hidden = letters.length === 0 && this.#result.children.length === 0;
    this.#changed();
  }

  #ids() {
    return [...this.#boxes].filter(([, box]) => box.checked).map(([id]) => id);
  }

  #changed() {
    const chosen = this.#ids().length;
    const what = chosen > 0 ? `the ${counted(chosen, "chosen letter")}` : this.#isFiltered() ? "all like this" : "all";
    write(this.#replay, `Replay ${what}…`);
    write(this.#purge, `Purge ${what}…`);
    write(this.#say, chosen > 0 ? "" : "Choose some, or take all that the filter means.");
  }

  #isFiltered() {
    return Object.keys(this.#filter).length > 0;
  }

  /** @returns {Chosen} */
  #chosen() {
    const ids = this.#ids();
    if (ids.length > 0) return { ids };
    return this.#isFiltered() ? { filter: this.#filter } : { all: true };
  }

  /** @param {"replay" | "purge"} action */
  async #begin(action) {
    const chosen = this.#chosen();
    try {
      const isMeant = action === "replay" ? await this.#askReplay(chosen) : await this.#askPurge(chosen);
      if (isMeant) await this.#do(action, chosen);
    } catch (error) {
      this.#result.replaceChildren(notice(messageOf(error)));
    }
  }

  /** @param {Chosen} chosen */
  async #askReplay(chosen) {
    /** @type {Replayed} */
    const would = await this.#context.api.send("POST", "v1/dead-letters/replay", { ...chosen, dry_run: true });
    const many = `${counted(would.done, "letter")}${would.next ? ", and more," : ""}`;
    const others = would.failed > 0 ? ` ${counted(would.failed, "letter")} cannot be replayed, and stay.` : "";
    const passed = would.passed_over > 0 ? ` ${would.passed_over} died too often, and stay.` : "";
    return this.#context.confirm({
      title: `Replay ${many.replace(/,$/, "")}?`,
      text: `They are sent to their topics again, the oldest first. What is still wrong dies again.${others}${passed}`,
      action: "Replay",
    });
  }

  /** @param {Chosen} chosen */
  async #askPurge(chosen) {
    /** @type {Purged} */
    const would = await this.#context.api.send("POST", "v1/dead-letters/purge", { ...chosen, dry_run: true });
    return this.#context.confirm({
      title: `Purge ${counted(would.purged, "letter")}?`,
      text: "They are deleted here, whether or not they were replayed, and this cannot be taken back.",
      action: "Purge",
      isDangerous: true,
    });
  }

  /**
   * @param {"replay" | "purge"} action
   * @param {Chosen} chosen
   * @param {string | null} [after]
   */
  async #do(action, chosen, after = null) {
    const body = after ? { ...chosen, after } : chosen;
    const done = await this.#context.api.send("POST", `v1/dead-letters/${action}`, body);
    const told =
      action === "replay" ? replayed(done) : h("p", { class: "done" }, `${counted(done.purged, "letter")} purged.`);
    const more = done.next && this.#button("Go on with the rest", () => this.#do(action, chosen, done.next));
    this.#result.replaceChildren(h("div", { class: "card" }, told, more));
    this.#onDone();
  }

  /**
   * @param {string} text
   * @param {() => Promise<void>} press
   */
  #button(text, press) {
    const made = h("button", { class: "button", type: "button" }, text);
    made.addEventListener("click", async () => {
      made.disabled = true;
      await press().catch((error) => this.#result.replaceChildren(notice(messageOf(error))));
      made.disabled = false;
      if (made.isConnected && document.activeElement === document.body) made.focus();
    });
    return made;
  }
}

/** @param {Replayed} told */
export function replayed({ done, failed, passed_over, results, stopped }) {
  const parts = [`${counted(done, "letter")} replayed`];
  if (failed > 0) parts.push(`${failed} not`);
  if (passed_over > 0) parts.push(`${passed_over} passed over, since they died too often: replay them one by one`);
  if (stopped) parts.push("stopped, since Kafka did not answer");
  const failures = results.filter((one) => !one.done).slice(0, RESULTS_MOST);
  const lines = failures.map(({ id, detail }) => h("li", {}, h("code", {}, id), ` ${detail}`));
  return h("div", {}, h("p", { class: "done" }, `${parts.join("; ")}.`), lines.length > 0 && h("ul", {}, ...lines));
}
