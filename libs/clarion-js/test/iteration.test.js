import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, gate, later } from "./connected.js";
import { id, item, settle } from "./fake_socket.js";

test("a loop acknowledges what is before the item that it asks for", async () => {
  const { clarion, socket, told } = await connect({}, { handler: null });
  socket.open();
  socket.say({ op: "batch", tag: 1, items: [item(1)], since: null });
  socket.say({ op: "batch", tag: 2, items: [item(2)], since: null });
  /** @type {string[]} */
  const got = [];
  /** @type {number[]} */
  const acksAt = [];
  for await (const one of clarion) {
    got.push(one.id);
    acksAt.push(socket.sentOf("ack").length);
    if (got.length === 2) break;
  }
  await settle();
  assert.deepEqual(got, [id(1), id(2)]);
  assert.deepEqual(acksAt, [0, 1]);
  assert.deepEqual(socket.sentOf("ack"), [{ op: "ack", tag: 1 }]);
  assert.equal(told.errors[0].code, "handler");
});

test("a loop that is too slow acknowledges only what it was given", async () => {
  const link = await connect({ handlerTimeoutMs: 1_000 }, { handler: null });
  const slow = gate();
  /** @type {string[]} */
  const got = [];
  /** @type {number[]} */
  const acksAt = [];
  (async () => {
    for await (const one of link.clarion) {
      got.push(one.id);
      acksAt.push(link.socket.sentOf("ack").length);
      if (got.length === 1) await slow.promise;
    }
  })();
  link.socket.open();
  link.socket.say({ op: "batch", tag: 1, items: [item(1)], since: null });
  await settle();
  await later(1_000); // given up: it comes again, behind one that came meanwhile
  await later(250);
  link.socket.open();
  link.socket.say({ op: "batch", tag: 1, items: [item(9, { lane: "urgent" })], since: null });
  link.socket.say({ op: "batch", tag: 2, items: [item(1)], since: null });
  await settle();
  slow.open();
  await settle();
  assert.deepEqual(got, [id(1), id(9), id(1)]);
  assert.deepEqual(acksAt, [0, 0, 1]);
});

test("a loop ends when the connection is closed for good", async () => {
  const { clarion, socket } = await connect({}, { handler: null });
  const loop = (async () => {
    for await (const _ of clarion) assert.fail("nothing was sent");
  })();
  await settle();
  socket.drop(4403);
  await loop;
});
