import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, gate, inState, last, later } from "./connected.js";
import { id, item, settle } from "./fake_socket.js";

test("acknowledges a batch once the handler's promise has settled", async () => {
  const { promise, open } = gate();
  const { socket, told } = await connect({}, { handler: () => promise });
  socket.open();
  socket.say({ op: "batch", tag: 1, items: [item(1)], since: null });
  await settle();
  assert.deepEqual(told.items, [id(1)]);
  assert.deepEqual(socket.sentOf("ack"), []);
  open();
  await settle();
  assert.deepEqual(socket.sentOf("ack"), [{ op: "ack", tag: 1 }]);
});

test("handles one at a time, in order, and coalesces acks", async () => {
  let inHand = 0;
  const { socket, told } = await connect(
    {},
    {
      handler: async () => {
        assert.equal(++inHand, 1);
        await Promise.resolve();
        inHand--;
      },
    },
  );
  socket.open();
  for (let tag = 1; tag <= 30; tag++)
    socket.say({ op: "batch", tag, items: [item(2 * tag), item(2 * tag + 1)], since: null });
  await settle();
  assert.deepEqual(
    told.items,
    Array.from({ length: 60 }, (_, n) => id(n + 2)),
  );
  await later(50);
  assert.deepEqual(
    socket.sentOf("ack").map((frame) => frame.tag),
    [1, 30],
  );
});

test("what comes twice is handled once and acknowledged twice", async () => {
  const { socket, told } = await connect();
  socket.open();
  socket.say({ op: "batch", tag: 1, items: [item(1, { ord: undefined, unstored: true })], since: null });
  await settle();
  await later(50);
  socket.say({ op: "batch", tag: 2, items: [item(1)], since: null });
  await settle();
  assert.deepEqual(told.items, [id(1)]);
  assert.deepEqual(
    socket.sentOf("ack").map((frame) => frame.tag),
    [1, 2],
  );
});

test("waits with everything until somebody listens", async () => {
  const { clarion, socket } = await connect({}, { handler: null });
  socket.open();
  socket.say({ op: "batch", tag: 1, items: [item(1)], since: null });
  await settle();
  assert.deepEqual(socket.sentOf("ack"), []);
  /** @type {string[]} */
  const got = [];
  clarion.on("notification", (one) => got.push(one.id));
  await settle();
  assert.deepEqual(got, [id(1)]);
  assert.equal(socket.sentOf("ack").length, 1);
});

test("who stops listening within a batch leaves its rest unseen", async () => {
  const { promise, open } = gate();
  const link = await connect({}, { handler: null });
  /** @type {string[]} */
  const got = [];
  const off = link.clarion.on("notification", (one) => {
    got.push(one.id);
    return one.id === id(3) ? promise : undefined;
  });
  link.socket.open();
  link.socket.say({ op: "batch", tag: 1, items: [1, 2, 3, 4, 5].map((n) => item(n)), since: null });
  await settle();
  off();
  open();
  await settle();
  assert.deepEqual(got, [id(1), id(2), id(3)]);
  assert.deepEqual(link.socket.sentOf("ack"), []);

  // it goes on where it was
  link.clarion.on("notification", (one) => got.push(one.id));
  await settle();
  assert.deepEqual(got, [1, 2, 3, 4, 5].map(id));
  assert.deepEqual(link.socket.sentOf("ack"), [{ op: "ack", tag: 1 }]);
  assert.equal(link.told.errors.length, 0);
});

test("what nobody listened for comes again on the next connection", async () => {
  const link = await connect({}, { handler: null });
  /** @type {() => void} */
  const off = link.clarion.on("notification", () => off());
  link.socket.open();
  link.socket.say({ op: "batch", tag: 1, items: [item(1), item(2)], since: "T" });
  await settle();
  link.socket.drop(1006);
  await settle();
  await later(250);
  link.socket.open();
  assert.deepEqual(link.socket.sent[0], { op: "resume", cursors: { normal: [0, 1] }, since: null });
});

test("resumes after the last handled item with the since before it", async () => {
  const hanging = gate();
  const link = await connect({}, { handler: (got) => (got.id === id(3) ? hanging.promise : undefined) });
  link.socket.open();
  link.socket.say({ op: "batch", tag: 1, items: [item(1), item(9, { lane: "urgent" })], since: "T1" });
  await settle();
  link.socket.say({ op: "batch", tag: 2, items: [item(2), item(3), item(4)], since: "T2" });
  link.socket.say({ op: "ping", since: "T3" });
  await settle();
  link.socket.drop(1006);
  await settle();
  await later(250);
  link.socket.open({ resumed: true });
  assert.deepEqual(link.socket.sent[0], { op: "resume", cursors: { normal: [0, 2], urgent: [0, 9] }, since: "T1" });

  // the handler that was under way ends well: its item comes again and is not shown again
  hanging.open();
  link.socket.say({ op: "batch", tag: 1, items: [item(3), item(4)], since: "T4" });
  await settle();
  assert.deepEqual(link.told.items, [id(1), id(9), id(2), id(3), id(4)]);
  assert.deepEqual(link.socket.sentOf("ack"), [{ op: "ack", tag: 1 }]);
});

test("a failing handler stops acks and gets the item again later", async () => {
  let failures = 2;
  const link = await connect(
    {},
    {
      handler: (got) => {
        if (got.id === id(2) && failures-- > 0) throw new Error("disk full");
      },
    },
  );
  link.socket.open();
  link.socket.say({ op: "batch", tag: 1, items: [item(1)], since: null });
  link.socket.say({ op: "batch", tag: 2, items: [item(2), item(3)], since: "T" });
  await settle();
  assert.deepEqual(link.told.items, [id(1), id(2)]);
  assert.deepEqual(
    link.sockets[0].sentOf("ack").map((frame) => frame.tag),
    [1],
  );
  assert.equal(link.told.errors[0].code, "handler");
  assert.equal(link.told.errors[0].item?.id, id(2));
  assert.equal(inState(last(link.told.states), "waiting").retryMs, 250);

  await later(250);
  link.socket.open();
  assert.deepEqual(link.socket.sent[0], { op: "resume", cursors: { normal: [0, 1] }, since: null });
  link.socket.say({ op: "batch", tag: 1, items: [item(2), item(3)], since: null });
  await settle();
  assert.equal(inState(last(link.told.states), "waiting").retryMs, 500);

  await later(500);
  link.socket.open();
  link.socket.say({ op: "batch", tag: 1, items: [item(2), item(3)], since: null });
  await settle();
  assert.deepEqual(link.told.items, [id(1), id(2), id(2), id(2), id(3)]);
  assert.deepEqual(link.socket.sentOf("ack"), [{ op: "ack", tag: 1 }]);
});

test("resume does not acknowledge a late item whose handler failed", async () => {
  let isBroken = true;
  const link = await connect(
    {},
    {
      handler: (got) => {
        if (got.id === id(5) && isBroken) throw new Error("no");
      },
    },
  );
  link.socket.open();
  link.socket.say({ op: "batch", tag: 1, items: [item(9)], since: null });
  await settle();
  link.socket.say({ op: "batch", tag: 2, items: [item(5)], since: null });
  await settle();
  await later(250);
  isBroken = false;
  link.socket.open();
  assert.deepEqual(link.socket.sentOf("resume")[0].cursors, { normal: [0, 4] });
});

test("resume does not acknowledge a late item behind one in hand", async () => {
  const { promise, open } = gate();
  const link = await connect({}, { handler: () => promise });
  link.socket.open();
  link.socket.say({ op: "batch", tag: 1, items: [item(9), item(5)], since: null });
  await settle();
  link.socket.drop(1006);
  open();
  await settle();
  await later(2_000);
  link.socket.open();
  assert.deepEqual(link.socket.sentOf("resume")[0].cursors, {});
  link.socket.say({ op: "batch", tag: 1, items: [item(5), item(9)], since: null });
  await later(50);
  assert.deepEqual(link.told.items, [id(9), id(5)]);
});

test("ackOnError passes over what fails, and says so", async () => {
  const link = await connect({ ackOnError: true }, { handler: () => Promise.reject(new Error("no")) });
  link.socket.open();
  link.socket.say({ op: "batch", tag: 1, items: [item(1), item(2)], since: null });
  await settle();
  assert.deepEqual(link.socket.sentOf("ack"), [{ op: "ack", tag: 1 }]);
  assert.deepEqual(
    link.told.errors.map((error) => error.item?.id),
    [id(1), id(2)],
  );
  assert.equal(link.sockets.length, 1);
});

test("a handler that never settles is a failure after its time", async () => {
  const link = await connect({ handlerTimeoutMs: 1_000 }, { handler: () => new Promise(() => {}) });
  link.socket.open();
  link.socket.say({ op: "batch", tag: 1, items: [item(1)], since: null });
  await settle();
  await later(1_000);
  assert.match(link.told.errors[0].message, /longer than 1 s/);
  assert.equal(link.told.states.at(-1)?.name, "waiting");
});

test("a server that ignores the window does not fill the memory", async () => {
  const link = await connect({}, { handler: () => new Promise(() => {}) });
  link.socket.open();
  const items = Array.from({ length: 50 }, (_, n) => item(n));
  for (let tag = 1; tag <= 21; tag++) link.socket.say({ op: "batch", tag, items, since: null });
  assert.equal(link.told.errors[0].code, "overflow");
  assert.equal(link.socket.closedWith, 1000);
});
