import { messageOf } from "../../api.js";
import { h, notice } from "../../dom.js";
import { pretty } from "../../format.js";

/** @import { Content, Header, KafkaRecord } from "../../wire.js" */

/** @typedef {{ value?: Content, key?: Content, headers?: Header[], no_key?: boolean }} Edit */

/**
 * A form that changes what a replay sends. Only what was changed is sent; bytes that are no text are edited as base64.
 *
 * @param {KafkaRecord} record
 * @param {{ save: (wanted: Edit) => Promise<void>, cancel: () => void }} actions
 */
export function makeEditor(record, { save, cancel }) {
  const encoding = record.value.encoding ?? "utf-8";
  const before = encoding === "utf-8" ? pretty(record.value.text) : record.value.text;
  const value = h("textarea", { id: "edit-value", rows: 12, spellcheck: "false" });
  value.value = before;
  const key = h("input", { id: "edit-key", spellcheck: "false", autocomplete: "off", value: record.key?.text ?? "" });
  const noKey = h("input", { id: "edit-no-key", type: "checkbox", checked: record.key === null });
  const headers = h("textarea", {
    id: "edit-headers",
    rows: 3,
    spellcheck: "false",
    "aria-describedby": "edit-headers-hint",
  });
  const areText = record.headers.every(
    ({ value }) => value !== null && value.encoding !== "base64" && !/[\r\n]/.test(value.text),
  );
  const linesBefore = record.headers.map(({ name, value }) => `${name}: ${value?.text ?? ""}`).join("\n");
  headers.value = areText ? linesBefore : "";
  const problem = h("div", {});

  /** @returns {Edit} */
  function wanted() {
    /** @type {Edit} */
    const edit = {};
    if (value.value !== before) edit.value = { text: value.value, encoding };
    if (noKey.checked && record.key !== null) edit.no_key = true;
    if (!noKey.checked && key.value !== record.key?.text)
      edit.key = { text: key.value, encoding: record.key?.encoding ?? "utf-8" };
    if (areText && headers.value.trim() !== linesBefore.trim()) edit.headers = headersOf(headers.value);
    return edit;
  }

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    try {
      const edit = wanted();
      if (Object.keys(edit).length === 0) return cancel();
      await save(edit);
    } catch (error) {
      problem.replaceChildren(notice(messageOf(error)));
    }
  }

  const what = encoding === "utf-8" ? "Value" : "Value, in base64";
  return h(
    "form",
    { class: "card stack tight", "aria-label": "Edit", on: { submit } },
    h("h2", {}, "Edit what a replay sends"),
    problem,
    field("edit-value", what, value),
    field("edit-key", "Key: it decides the partition, and is the recipient", key),
    h("label", { class: "check" }, noKey, " No key"),
    areText
      ? field(
          "edit-headers",
          "Headers",
          headers,
          h("p", { class: "hint", id: "edit-headers-hint" }, "One in a line: name: value"),
        )
      : h("p", { class: "hint" }, "Its headers are no text, and stay as they are."),
    h(
      "div",
      { class: "actions" },
      h("button", { class: "button primary", type: "submit" }, "Keep the edit"),
      h("button", { class: "button", type: "button", on: { click: cancel } }, "Cancel"),
    ),
  );
}

/**
 * @param {string} id
 * @param {string} label
 * @param {...Node} content
 */
function field(id, label, ...content) {
  return h("div", { class: "field" }, h("label", { for: id }, label), ...content);
}

/**
 * @param {string} text
 * @returns {Header[]}
 */
function headersOf(text) {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => {
    const at = line.indexOf(":");
    if (at < 1) throw new Error(`A header is written name: value, and not ${line}`);
    return { name: line.slice(0, at).trim(), value: { text: line.slice(at + 1).trim() } };
  });
}
