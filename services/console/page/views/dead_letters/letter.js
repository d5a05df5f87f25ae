import { messageOf } from "../../api.js";
import { facts, h, notice } from "../../dom.js";
import { bytes, count, moment, pretty } from "../../format.js";
import { addressOf } from "../../router.js";
import { makeEditor } from "./editor.js";
import { stateOf } from "./list.js";
import { replayed } from "./selection.js";

/**
 * @import { Context, View } from "../../app.js"
 * @import { Content, KafkaRecord, LetterDetails } from "../../wire.js"
 */

/** @param {Context} context */
export function letterView(context) {
  const { api, place } = context;
  const path = `v1/dead-letters/${encodeURIComponent(place.rest)}`;
  const controller = new AbortController();
  const body = h("div", { class: "stack" }, h("p", { class: "hint" }, "It is fetched…"));
  const result = h("div", { class: "results", role: "status" });

  async function load() {
    try {
      show(await api.get(path, { signal: controller.signal }));
    } catch (error) {
      if (!controller.signal.aborted) body.replaceChildren(notice(messageOf(error)));
    }
  }

  /** @param {LetterDetails} letter */
  function show(letter) {
    const replay = h(
      "button",
      { class: "button primary", type: "button", disabled: letter.obstacle !== null },
      "Replay…",
    );
    const edit = h("button", { class: "button", type: "button" }, "Edit…");
    const undo = h("button", { class: "button", type: "button", hidden: !letter.edited }, "Take the edit back");
    const purge = h("button", { class: "button", type: "button" }, "Purge…");
    const editor = h("div", {});
    replay.addEventListener("click", () => tell(() => replayOne(letter)));
    undo.addEventListener("click", () =>
      tell(async () => changed(await api.send("PATCH", path, { undo: true }), "The edit is taken back.")),
    );
    purge.addEventListener("click", () => tell(purgeOne));
    edit.addEventListener("click", () => {
      const made = makeEditor(letter.replayed, {
        save: async (wanted) =>
          changed(await api.send("PATCH", path, wanted), "The edit is kept. Nothing was sent yet."),
        cancel: () => {
          editor.replaceChildren();
          edit.focus();
        },
      });
      editor.replaceChildren(made);
      made.querySelector("textarea")?.focus();
    });
    body.replaceChildren(
      story(letter),
      h("div", { class: "actions" }, replay, edit, undo, purge),
      editor,
      letter.edited ? recordCard("What a replay sends", letter.replayed) : "",
      recordCard(letter.edited ? "As it died" : "The record", letter.original),
      history(letter),
    );
  }

  /**
   * @param {LetterDetails} letter
   * @param {string} text
   */
  function changed(letter, text) {
    show(letter);
    done(h("p", { class: "done" }, text));
  }

  /** @param {Node} content */
  function done(content) {
    result.replaceChildren(h("div", { class: "card" }, content));
  }

  /** @param {LetterDetails} letter */
  async function replayOne(letter) {
    const text = letter.fault
      ? `Its contract still finds wrong: ${letter.fault}. Replayed like this, it dies again.`
      : `It is sent to ${letter.topic} again. As far as its contract tells, nothing is wrong with it.`;
    if (!(await context.confirm({ title: "Replay this letter?", text, action: "Replay" }))) return;
    const again = letter.state === "replayed";
    done(replayed(await api.send("POST", "v1/dead-letters/replay", { ids: [letter.id], again })));
    await load();
  }

  async function purgeOne() {
    const text = "It is deleted here, and this cannot be taken back.";
    if (!(await context.confirm({ title: "Purge this letter?", text, action: "Purge", isDangerous: true }))) return;
    await api.send("POST", "v1/dead-letters/purge", { ids: [place.rest] });
    context.go(addressOf("dead-letters"));
  }

  /** @param {() => Promise<void>} action */
  async function tell(action) {
    try {
      await action();
    } catch (error) {
      result.replaceChildren(notice(messageOf(error)));
    }
  }

  load();
  return /** @type {View} */ ({
    title: "Dead letter",
    element: h(
      "div",
      { class: "stack" },
      h("p", {}, h("a", { href: addressOf("dead-letters") }, "← Dead letters")),
      h("h1", { class: "id" }, place.rest),
      result,
      body,
    ),
    stop: () => controller.abort(),
  });
}

/** @param {LetterDetails} letter */
function story(letter) {
  const now = Date.now();
  return h(
    "div",
    { class: "card" },
    facts([
      ["State", stateOf(letter)],
      ["Why it died", `${letter.reason}: ${letter.error}`],
      ["Still wrong", letter.fault],
      ["Cannot be replayed", letter.obstacle],
      ["Died last", moment(letter.at, now)],
      ["Tried", `${count(letter.attempts)} times, replayed ${count(letter.replays)} times`],
      [
        "Notification",
        letter.notification && h("a", { href: addressOf("trace", letter.notification) }, letter.notification),
      ],
      ["For", letter.recipient && h("a", { href: addressOf("users", letter.recipient) }, letter.recipient)],
      ["By", letter.sender],
      ["Type", letter.type],
      ["Size", bytes(letter.size)],
      ["Edited", letter.edited_at && `by ${letter.edited_by}, ${moment(letter.edited_at, now)}`],
      ["Purged on", moment(letter.purge_at, now)],
    ]),
  );
}

/**
 * @param {string} title
 * @param {KafkaRecord} record
 */
function recordCard(title, record) {
  const headers = record.headers.map(
    ({ name, value }) => /** @type {[string, string]} */ ([name, value === null ? "null" : shown(value)]),
  );
  return h(
    "section",
    { class: "card" },
    h("h2", {}, title),
    facts([["Key", record.key ? h("code", {}, shown(record.key)) : "none"]]),
    h("h3", {}, "Value"),
    h("pre", { class: "bytes", tabindex: "0", "aria-label": "Value" }, shown(record.value)),
    headers.length > 0 && h("h3", {}, "Headers"),
    headers.length > 0 && facts(headers.map(([name, text]) => [name, h("code", {}, text)])),
  );
}

/** @param {Content} content */
function shown({ text, encoding }) {
  return encoding === "base64" ? `base64: ${text}` : pretty(text);
}

/** @param {LetterDetails} letter */
function history({ deaths, sends }) {
  const now = Date.now();
  const events = [
    ...deaths.map(({ at, reason, error, place }) => ({ at, text: `died at ${place}: ${reason}, ${error}` })),
    ...sends.map(({ at, by, place, error }) => ({ at, text: `replayed by ${by}: ${place ?? error ?? ""}` })),
  ].sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
  const items = events.map(({ at, text }) => h("li", {}, h("span", { class: "when" }, moment(at, now)), ` ${text}`));
  return h("section", { class: "card" }, h("h2", {}, "What happened"), h("ol", { class: "steps" }, ...items));
}
