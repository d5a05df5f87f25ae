import { messageOf } from "../api.js";
import { h, notice } from "../dom.js";
import { addressOf } from "../router.js";

/** @import { Context, View } from "../app.js" */

/**
 * A view that looks something up by a name: the address has it, so that it can be sent to a colleague.
 *
 * @template Found
 * @param {Context} context
 * @param {{
 *   title: string,
 *   about: string,
 *   label: string,
 *   place: string,
 *   waiting: string,
 *   find: (name: string, signal: AbortSignal) => Promise<Found>,
 *   show: (found: Found) => Node,
 * }} kind
 * @returns {View}
 */
export function lookUpView(context, { title, about, label, place, waiting, find, show }) {
  const controller = new AbortController();
  const asked = context.place.rest;
  const input = h("input", {
    id: "look-up",
    value: asked,
    maxlength: 128,
    spellcheck: "false",
    autocomplete: "off",
    required: true,
  });
  const result = h("div", { class: "stack", "aria-live": "polite" });
  /** @param {SubmitEvent} event */
  const submit = (event) => {
    event.preventDefault();
    context.go(addressOf(place, input.value.trim()));
  };

  async function load() {
    result.replaceChildren(h("p", { class: "hint" }, waiting));
    try {
      result.replaceChildren(show(await find(asked, controller.signal)));
    } catch (error) {
      if (!controller.signal.aborted) result.replaceChildren(notice(messageOf(error)));
    }
  }

  if (asked) load();
  return {
    title,
    element: h(
      "div",
      { class: "stack" },
      h("div", { class: "title" }, h("h1", {}, title), h("p", { class: "hint" }, about)),
      h(
        "form",
        { class: "card look-up", role: "search", on: { submit } },
        h("div", { class: "field grow" }, h("label", { for: "look-up" }, label), input),
        h("button", { class: "button primary", type: "submit" }, "Look up"),
      ),
      result,
    ),
    stop: () => controller.abort(),
  };
}
