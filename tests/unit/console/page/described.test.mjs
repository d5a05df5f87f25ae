// OpenAPI and AsyncAPI documents, as our services write them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { messagesOf, operationsOf } from "../../../../services/console/page/views/reference/described.js";

test("an operation has the parameters of its path as well", () => {
  const info = { title: "t", version: "1" };
  const parameter = { name: "id", in: "path", required: true, description: "The id.", schema: { type: "string" } };
  const get = {
    summary: "Show.",
    parameters: [{ name: "limit", in: "query", schema: { type: "integer" } }],
    responses: {
      200: { description: "Yes.", content: { "application/json": { schema: { $ref: "#/components/schemas/A" } } } },
    },
  };
  const patch = {
    requestBody: { description: "At most 3.", content: { "application/json": { schema: { type: "object" } } } },
    responses: { 404: { description: "No." } },
  };
  const [shown, changed] = operationsOf({ info, paths: { "/v1/a/{id}": { parameters: [parameter], get, patch } } });
  assert.deepEqual([shown.method, shown.path, shown.body], ["GET", "/v1/a/{id}", null]);
  assert.deepEqual(
    shown.parameters.map(({ name, isRequired }) => [name, isRequired]),
    [
      ["id", true],
      ["limit", false],
    ],
  );
  assert.equal(shown.answers[0].schema?.$ref, "#/components/schemas/A");
  assert.deepEqual(
    [changed.method, changed.body?.type, changed.answers[0].schema],
    ["PATCH", "application/json", null],
  );
});

test("frames say who sends them", () => {
  const operations = {
    receive: { action: "receive", messages: [{ $ref: "#/channels/socket/messages/ack" }] },
    send: { action: "send", messages: [{ $ref: "#/channels/socket/messages/batch" }] },
  };
  const components = {
    messages: { ack: { summary: "Handled.", payload: { $ref: "#/components/schemas/Ack" } }, batch: {} },
  };
  const channels = { socket: { description: "Frames." } };
  const { about, messages } = messagesOf({ info: { title: "t", version: "1" }, channels, operations, components });
  assert.equal(about, "Frames.");
  assert.deepEqual(
    messages.map(({ name, from, text }) => [name, from, text]),
    [
      ["ack", "from the client", "Handled."],
      ["batch", "from the gateway", ""],
    ],
  );
});
