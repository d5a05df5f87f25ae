// Reads OpenAPI 3.1 and AsyncAPI 3.0 documents as this project's services write them. Pure.

/**
 * @import { Schema } from "./schema.js"
 *
 * @typedef {{
 *   info: { title: string, version: string },
 *   paths?: Record<string, Record<string, any>>,
 *   channels?: Record<string, any>,
 *   operations?: Record<string, any>,
 *   components?: { schemas?: Record<string, Schema>, messages?: Record<string, any> },
 * }} Described
 * @typedef {{ name: string, where: string, isRequired: boolean, text: string, schema: Schema }} Parameter
 * @typedef {{
 *   method: string,
 *   path: string,
 *   summary: string,
 *   description: string,
 *   parameters: Parameter[],
 *   body: { type: string, text: string, schema: Schema } | null,
 *   answers: { status: string, text: string, schema: Schema | null }[],
 * }} Operation
 * @typedef {{ name: string, from: string, text: string, schema: Schema }} Message
 */

const METHODS = ["get", "post", "put", "patch", "delete"];

/**
 * @param {Described} described
 * @returns {Operation[]}
 */
export function operationsOf({ paths = {} }) {
  return Object.entries(paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) =>
      operationOf(path, method, item[method], item.parameters ?? []),
    ),
  );
}

/**
 * @param {string} path
 * @param {string} method
 * @param {any} operation
 * @param {any[]} shared parameters of all methods of the path
 * @returns {Operation}
 */
function operationOf(path, method, operation, shared) {
  const parameters = [...shared, ...(operation.parameters ?? [])].map((one) => ({
    name: one.name,
    where: one.in,
    isRequired: one.required === true,
    text: one.description ?? "",
    schema: one.schema ?? {},
  }));
  const [type, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? ["", null];
  const answers = Object.entries(operation.responses ?? {}).map(([status, answer]) => ({
    status,
    text: answer.description ?? "",
    schema: /** @type {any} */ (Object.values(answer.content ?? {})[0])?.schema ?? null,
  }));
  return {
    method: method.toUpperCase(),
    path,
    summary: operation.summary ?? "",
    description: operation.description ?? "",
    parameters,
    body: content && { type, text: operation.requestBody.description ?? "", schema: content.schema ?? {} },
    answers,
  };
}

/**
 * The frames of an AsyncAPI document, and what it says of its channels.
 *
 * @param {Described} described
 * @returns {{ about: string, messages: Message[] }}
 */
export function messagesOf({ channels = {}, operations = {}, components = {} }) {
  const about = Object.values(channels)
    .map((channel) => channel.description ?? "")
    .join("\n\n");
  const messages = Object.values(operations).flatMap((operation) =>
    (operation.messages ?? []).map((/** @type {{ $ref: string }} */ { $ref }) => {
      const name = lastOf($ref);
      const message = components.messages?.[name] ?? {};
      return {
        name,
        from: operation.action === "receive" ? "from the client" : "from the gateway",
        text: message.summary ?? message.description ?? "",
        schema: message.payload ?? {},
      };
    }),
  );
  return { about, messages };
}

/** @param {string} reference such as `#/components/schemas/Page` */
export function lastOf(reference) {
  return reference.slice(reference.lastIndexOf("/") + 1);
}
