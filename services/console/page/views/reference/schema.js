import { h, prose } from "../../dom.js";
import { lastOf } from "./described.js";

/**
 * @typedef {{
 *   $ref?: string,
 *   type?: string,
 *   format?: string,
 *   title?: string,
 *   description?: string,
 *   enum?: unknown[],
 *   const?: unknown,
 *   default?: unknown,
 *   items?: Schema,
 *   anyOf?: Schema[],
 *   oneOf?: Schema[],
 *   properties?: Record<string, Schema>,
 *   required?: string[],
 *   additionalProperties?: Schema | boolean,
 *   minimum?: number,
 *   maximum?: number,
 *   minLength?: number,
 *   maxLength?: number,
 *   maxItems?: number,
 *   pattern?: string,
 * }} Schema JSON Schema, as far as msgspec writes it
 */

/**
 * A type in a few words, with links to the types that have names.
 *
 * @param {Schema} schema
 * @param {(name: string) => string} link
 * @returns {HTMLElement}
 */
export function typeOf(schema, link) {
  return h("span", { class: "type" }, ...partsOf(schema, link));
}

/**
 * @param {Schema} schema
 * @param {(name: string) => string} link
 * @returns {(Node | string)[]}
 */
function partsOf(schema, link) {
  if (schema.$ref) {
    const name = lastOf(schema.$ref);
    return [h("a", { href: link(name) }, name)];
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices)
    return choices.flatMap((one, index) => (index > 0 ? [" or ", ...partsOf(one, link)] : partsOf(one, link)));
  if (schema.enum) return [schema.enum.map((one) => JSON.stringify(one)).join(" or ")];
  if (schema.const !== undefined) return [JSON.stringify(schema.const)];
  if (schema.type === "array") return ["list of ", ...partsOf(schema.items ?? {}, link), limits(schema)];
  if (schema.type === "object" && typeof schema.additionalProperties === "object") {
    return ["object of ", ...partsOf(schema.additionalProperties, link)];
  }
  return [`${schema.type ?? "anything"}${schema.format ? ` (${schema.format})` : ""}${limits(schema)}`];
}

/** @param {Schema} schema */
function limits({ minimum, maximum, minLength, maxLength, maxItems }) {
  if (maxItems !== undefined) return `, at most ${maxItems}`;
  if (maxLength !== undefined) return `, ${minLength ?? 0} to ${maxLength} characters`;
  if (minimum !== undefined && maximum !== undefined) return `, ${minimum} to ${maximum}`;
  if (minimum !== undefined) return `, at least ${minimum}`;
  return maximum === undefined ? "" : `, at most ${maximum}`;
}

/**
 * A type with a name, and its fields.
 *
 * @param {string} name
 * @param {Schema} schema
 * @param {(name: string) => string} link
 * @param {Node[]} [title]
 */
export function schemaSection(name, schema, link, title = [h("strong", {}, name)]) {
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {}).map(([field, what]) =>
    h(
      "li",
      {},
      h("code", {}, field),
      " ",
      typeOf(what, link),
      !required.has(field) && h("span", { class: "hint" }, " (may be left out)"),
      what.description && ` – ${what.description}`,
    ),
  );
  return h(
    "details",
    { class: "card schema", data: { schema: name } },
    h("summary", {}, ...title),
    schema.description && h("p", { class: "prose" }, prose(schema.description)),
    fields.length > 0 ? h("ul", {}, ...fields) : h("p", {}, typeOf(schema, link)),
  );
}
