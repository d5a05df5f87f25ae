// Fields of a form that filters a list: the address of the view has their values.

import { h } from "../dom.js";

/**
 * @param {string} name
 * @param {string} label
 * @param {{ value: string, label: string }[]} options
 * @param {URLSearchParams} query
 */
export function select(name, label, options, query) {
  const id = `filter-${name}`;
  const chosen = query.get(name) ?? "";
  const made = options.map((one) => h("option", { value: one.value, selected: one.value === chosen }, one.label));
  return h("div", { class: "field" }, h("label", { for: id }, label), h("select", { id, name }, ...made));
}

/**
 * @param {string} name
 * @param {string} label
 * @param {URLSearchParams} query
 */
export function input(name, label, query) {
  const id = `filter-${name}`;
  const properties = {
    id,
    name,
    value: query.get(name) ?? "",
    maxlength: 300,
    autocomplete: "off",
    spellcheck: "false",
  };
  return h("div", { class: "field" }, h("label", { for: id }, label), h("input", properties));
}
