import { messageOf } from "../../api.js";
import { h, notice, prose } from "../../dom.js";
import { addressOf } from "../../router.js";
import { lastOf, messagesOf, operationsOf } from "./described.js";
import { schemaSection, typeOf } from "./schema.js";

/**
 * @import { Context, View } from "../../app.js"
 * @import { Described, Message, Operation } from "./described.js"
 * @import { Schema } from "./schema.js"
 */

/** @type {Record<string, { label: string, path: string, about: string }>} */
const DOCUMENTS = {
  ingest: { label: "Ingest", path: "v1/reference/ingest", about: "Publishing, over HTTP." },
  gateway: {
    label: "Gateway",
    path: "v1/reference/gateway",
    about: "The inbox, and streams for clients without WebSocket.",
  },
  "client-protocol": {
    label: "Client protocol",
    path: "v1/reference/client-protocol",
    about: "Frames between clients and gateways.",
  },
  console: { label: "Console", path: "openapi.json", about: "What this page asks." },
};

/** @param {Context} context */
export function referenceView({ api, place }) {
  const controller = new AbortController();
  const [name, section] = place.rest.split("#");
  const chosen = DOCUMENTS[name] ? name : "ingest";
  const body = h("div", { class: "stack" }, h("p", { class: "hint" }, "The description is fetched…"));
  const tabs = Object.entries(DOCUMENTS).map(([key, { label }]) =>
    h("li", {}, h("a", { href: addressOf("reference", key), "aria-current": key === chosen ? "page" : null }, label)),
  );

  async function load() {
    try {
      const described = await api.get(DOCUMENTS[chosen].path, { signal: controller.signal });
      body.replaceChildren(...sections(described, chosen));
      if (section) reveal(body, section);
    } catch (error) {
      if (!controller.signal.aborted) body.replaceChildren(notice(messageOf(error)));
    }
  }

  load();
  return /** @type {View} */ ({
    title: "API reference",
    element: h(
      "div",
      { class: "stack" },
      h("div", { class: "title" }, h("h1", {}, "API reference"), h("p", { class: "hint" }, DOCUMENTS[chosen].about)),
      h("nav", { "aria-label": "Descriptions" }, h("ul", { class: "tabs" }, ...tabs)),
      body,
    ),
    stop: () => controller.abort(),
  });
}

/**
 * @param {HTMLElement} within
 * @param {string} name
 */
function reveal(within, name) {
  const found = [...within.querySelectorAll("[data-schema]")].find((one) => one.getAttribute("data-schema") === name);
  if (!(found instanceof HTMLDetailsElement)) return;
  found.open = true;
  found.scrollIntoView();
  found.querySelector("summary")?.focus({ preventScroll: true });
}

/**
 * @param {Described} described
 * @param {string} name
 */
function sections(described, name) {
  /** @param {string} schema */
  const link = (schema) => addressOf("reference", `${name}#${schema}`);
  const operations = operationsOf(described).map((one) => operationCard(one, link));
  const { about, messages } = messagesOf(described);
  const known = described.components?.schemas ?? {};
  const frames = messages.map((one) => messageCard(one, known, link));
  const framed = new Set(messages.map(({ schema }) => lastOf(schema.$ref ?? "")));
  const others = Object.entries(known).filter(([schema]) => !framed.has(schema));
  const schemas = others.map(([schema, what]) => schemaSection(schema, what, link));
  return [
    h("p", { class: "hint" }, `${described.info.title}, version ${described.info.version}`),
    about ? h("p", { class: "card prose" }, prose(about)) : "",
    operations.length > 0 ? h("section", { class: "stack tight" }, h("h2", {}, "Requests"), ...operations) : "",
    frames.length > 0 ? h("section", { class: "stack tight" }, h("h2", {}, "Frames"), ...frames) : "",
    h("section", { class: "stack tight" }, h("h2", {}, "Types"), ...schemas),
  ];
}

/**
 * @param {Operation} operation
 * @param {(schema: string) => string} link
 */
function operationCard({ method, path, summary, description, parameters, body, answers }, link) {
  const given = parameters.map(({ name, where, isRequired, text, schema }) =>
    h(
      "li",
      {},
      h("code", {}, name),
      ` (${where}${isRequired ? "" : ", optional"}) `,
      typeOf(schema, link),
      text && ` – ${text}`,
    ),
  );
  const told = answers.map(({ status, text, schema }) =>
    h("li", {}, h("strong", {}, status), ` ${text} `, schema && typeOf(schema, link)),
  );
  return h(
    "details",
    { class: "card operation" },
    h(
      "summary",
      {},
      h("span", { class: "method", data: { method } }, method),
      h("code", {}, path),
      h("span", { class: "operation-what" }, prose(summary)),
    ),
    description && h("p", { class: "prose" }, prose(description)),
    given.length > 0 && h("h3", {}, "Parameters"),
    given.length > 0 && h("ul", {}, ...given),
    body && h("h3", {}, "Body"),
    body && h("p", {}, h("code", {}, body.type), " ", typeOf(body.schema, link), body.text && ` – ${body.text}`),
    h("h3", {}, "Answers"),
    h("ul", {}, ...told),
  );
}

/**
 * @param {Message} message
 * @param {Record<string, Schema>} known
 * @param {(schema: string) => string} link
 */
function messageCard({ name, from, text, schema }, known, link) {
  const of = lastOf(schema.$ref ?? "");
  return schemaSection(of, { description: text, ...(known[of] ?? schema) }, link, [
    h("code", {}, name),
    h("span", { class: "operation-what" }, from),
  ]);
}
