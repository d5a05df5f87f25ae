import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, gate, later } from "./connected.js";
import { id, item, settle } from "./fake_socket.js";

/** @import { Notification, ProgressStorage } from "../src/clarion.js" */

test("a connection that ends before anything came is resumed", async () => {
  const link = await connect();
  link.socket.open({ since: "T0" });
  link.socket.drop(1012);
  await settle();
  await later(2_000);
  link.socket.open({ since: "T1" });
  assert.deepEqual(link.socket.sent[0], { op: "resume", cursors: {}, since: "T0" });
  link.socket.drop(1012);
  await settle();
  await later(4_000);
  link.socket.open();
  assert.deepEqual(link.socket.sent[0], { op: "resume", cursors: {}, since: "T0" });
});

test("a ping's since is kept once all before it is handled", async () => {
  const { promise, open } = gate();
  const saved = new Map();
  /** @type {ProgressStorage} */
  const storage = {
    getItem: (key) => saved.get(key) ?? null,
    setItem: (key, value) => saved.set(key, JSON.parse(value)),
  };
  const { socket } = await connect({ storage, user: "ada" }, { handler: () => promise });
  socket.open();
  socket.say({ op: "batch", tag: 1, items: [item(1)], since: "T1" });
  socket.say({ op: "ping", since: "T2" });
  assert.deepEqual(socket.sentOf("pong"), [{ op: "pong" }]);
  await settle();
  assert.equal(saved.size, 0);
  open();
  await settle();
  assert.deepEqual(saved.get("clarion.v1.ada"), { cursors: { normal: [0, 1] }, since: "T2" });
});

/**
 * A Clarion with a storage, which has been sent `items` of which it handles all before the one numbered `last`.
 *
 * @param {number} last
 * @param {Notification[]} items
 */
async function handlingUpTo(last, items) {
  /** @type {unknown[]} */
  const saved = [];
  /** @type {ProgressStorage} */
  const storage = { getItem: () => null, setItem: (_, value) => saved.push(JSON.parse(value)) };
  /** @param {Notification} got */
  const hanging = (got) => (got.id === id(last) ? new Promise(() => {}) : undefined);
  const link = await connect({ storage, user: "ada" }, { handler: hanging });
  link.socket.open();
  link.socket.say({ op: "batch", tag: 1, items, since: "T" });
  await settle();
  return { ...link, saved, socket: link.socket };
}

test("what is handled is kept before its batch is done, but paced", async () => {
  const { saved, told } = await handlingUpTo(
    40,
    Array.from({ length: 50 }, (_, n) => item(n)),
  );
  assert.equal(told.items.length, 41);
  await later(50);
  assert.deepEqual(saved, [{ cursors: { normal: [0, 39] }, since: null }]);
});

test("what is kept never passes over what waits", async () => {
  // to resume there would acknowledge it
  const { saved } = await handlingUpTo(5, [item(9), item(5), item(10)]);
  await later(50);
  assert.deepEqual(saved, [{ cursors: { normal: [0, 4] }, since: null }]);
});

/** @typedef {Awaited<ReturnType<typeof handlingUpTo>>} Handling */

for (const { how, end } of [
  { how: "closed", end: (/** @type {Handling} */ { clarion }) => clarion.close() },
  { how: "cut off", end: (/** @type {Handling} */ { socket }) => socket.drop(1006) },
]) {
  test(`who is ${how} within a batch keeps what is handled of it`, async () => {
    const link = await handlingUpTo(
      3,
      [1, 2, 3, 4].map((n) => item(n)),
    );
    end(link);
    assert.deepEqual(link.saved, [{ cursors: { normal: [0, 2] }, since: null }]);
    await later(50);
    assert.equal(link.saved.length, 1);
  });
}

test("progress in storage outlives the page", async () => {
  const kept = new Map([["clarion.v1.ada", '{"cursors":{"high":[1,5]},"since":"T"}']]);
  /** @type {ProgressStorage} */
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem() {} };
  const { socket } = await connect({ storage, user: "ada" });
  socket.open();
  assert.deepEqual(socket.sent[0], { op: "resume", cursors: { high: [1, 5] }, since: "T" });
});

test("a damaged storage is told, and what is left of it is used", async () => {
  const kept = new Map([["clarion.v1.ada", '{"cursors":{"high":[1,5],"express":[0,1]},"since":"T"}']]);
  /** @type {ProgressStorage} */
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => kept.set(key, text) };
  const { socket, told } = await connect({ storage, user: "ada" });
  socket.open();
  assert.deepEqual(socket.sent[0], { op: "resume", cursors: { high: [1, 5] }, since: "T" });
  assert.deepEqual(
    told.errors.map((error) => error.code),
    ["storage"],
  );
  assert.match(told.errors[0].message, /cursor of express/);
});
