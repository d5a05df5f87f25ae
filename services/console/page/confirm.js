import { find, h } from "./dom.js";

/**
 * Ask before something is done that cannot be taken back. Resolves with whether it is to be done. The dialog is modal:
 * the browser keeps the keyboard in it, Escape closes it, and the focus returns to where it was.
 *
 * @param {{ title: string, text: string, action: string, isDangerous?: boolean }} question
 * @returns {Promise<boolean>}
 */
export function askToConfirm({ title, text, action, isDangerous = false }) {
  const dialog = find("dialog", HTMLDialogElement);
  const cancel = h("button", { class: "button", type: "submit", value: "no", autofocus: true }, "Cancel");
  const confirm = h(
    "button",
    { class: `button ${isDangerous ? "danger" : "primary"}`, type: "submit", value: "yes" },
    action,
  );
  dialog.replaceChildren(
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "dialog-title" }, title),
      h("p", {}, text),
      h("div", { class: "actions end" }, cancel, confirm),
    ),
  );
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
