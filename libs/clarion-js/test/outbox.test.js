import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { connect, last, later } from "./connected.js";
import { id, item, settle } from "./fake_socket.js";

test("a mark of an id in upper case is confirmed in lower case", async () => {
  const link = await connect();
  const swift = "0193ABCD-0000-7000-8000-00000000ABCD";
  link.clarion.read(swift);
  link.socket.open();
  await later(50);
  assert.deepEqual(link.socket.sent.slice(1), [{ op: "read", ids: [swift.toLowerCase()] }]);
  link.socket.say({ op: "sync", change: "read", ids: [swift.toLowerCase()], unread: 0 });
  link.socket.drop(1006);
  await settle();
  await later(250);
  link.socket.open();
  await later(50);
  assert.deepEqual(link.socket.sent.slice(1), []);
});

test("marks are sent on reconnect until the server confirms them", async () => {
  const link = await connect();
  link.clarion.read([id(1), id(2)]);
  link.clarion.unread(id(2));
  link.socket.open();
  await later(50);
  assert.deepEqual(link.socket.sent.slice(1), [
    { op: "read", ids: [id(1)] },
    { op: "unread", ids: [id(2)] },
  ]);
  link.socket.say({ op: "sync", change: "read", ids: [id(1)], unread: 3 });
  link.socket.drop(1006);
  await settle();
  await later(250);
  link.socket.open();
  await later(50);
  assert.deepEqual(link.socket.sent.slice(1), [{ op: "unread", ids: [id(2)] }]);
  assert.deepEqual(link.told.syncs, [{ change: "read", ids: [id(1)], unread: 3 }]);
  assert.deepEqual(link.told.unread, [0, 3, 0]);
});

test("a mark is confirmed by its own change only, once it is sent", async () => {
  const link = await connect();
  link.socket.open();
  link.clarion.read(id(1));
  link.clarion.unread(id(1)); // waits for its turn
  link.socket.say({ op: "sync", change: "read", ids: [id(1)], unread: 0 });
  await later(50);
  assert.deepEqual(link.socket.sent.slice(1), [
    { op: "read", ids: [id(1)] },
    { op: "unread", ids: [id(1)] },
  ]);
  link.socket.say({ op: "sync", change: "read", ids: [id(1)], unread: 0 }); // of another device, told late
  link.socket.drop(1006);
  await settle();
  await later(250);
  link.socket.open();
  await later(50);
  assert.deepEqual(link.socket.sent.slice(1), [{ op: "unread", ids: [id(1)] }]);
});

test("resync sends unconfirmed marks again", async () => {
  // their sync may be among what was not told
  const { clarion, socket, told } = await connect();
  socket.open();
  clarion.archive(id(1));
  await later(50);
  socket.say({ op: "resync" });
  assert.equal(socket.sentOf("archive").length, 2);
  assert.equal(told.resyncs, 1);
});

test("marks are sent again with backoff when the server is busy", async () => {
  const { clarion, socket } = await connect();
  socket.open();
  clarion.read(id(1));
  for (const [busy, waits] of [
    [1, 500],
    [2, 1_000],
  ]) {
    socket.say({ op: "error", code: "busy", detail: "read was not taken, try again later" });
    await later(waits - 1);
    assert.equal(socket.sentOf("read").length, busy);
    await later(1);
    assert.equal(socket.sentOf("read").length, busy + 1);
  }
  socket.say({ op: "sync", change: "read", ids: [id(1)], unread: 0 });
  socket.say({ op: "error", code: "busy", detail: "again" });
  await later(60_000);
  assert.equal(socket.sentOf("read").length, 3);
});

test("marks are bounded: a frame by 500, all that wait by 1,000", async () => {
  const { clarion, socket } = await connect();
  clarion.read(Array.from({ length: 1_000 }, (_, n) => id(n)));
  assert.throws(() => clarion.read(id(5_000)), RangeError);
  assert.throws(() => clarion.read("x"), TypeError);
  socket.open();
  await later(50);
  assert.deepEqual(
    socket.sentOf("read").map((frame) => frame.ids.length),
    [500, 500],
  );
  clarion.read(id(5_000)); // the oldest was sent: it gives way
  await later(50);
  assert.deepEqual(last(socket.sentOf("read")).ids, [id(5_000)]);
});

test("too many marks at once are refused whole, and stop no others", async () => {
  const ids = Array.from({ length: 1_001 }, (_, n) => id(n));
  const { clarion, socket } = await connect();
  clarion.read(id(0));
  assert.throws(() => clarion.archive(ids), RangeError);
  socket.open();
  assert.throws(() => clarion.archive(ids), RangeError);
  clarion.read([...ids.slice(0, 999), id(0)]); // what is named twice, or waits already, is one
  await later(50);
  await later(50);
  const sent = socket.sent.slice(1).map((frame) => [frame.op, "ids" in frame && frame.ids.length]);
  assert.deepEqual(sent, [
    ["read", 1],
    ["read", 500],
    ["read", 499],
  ]);
  assert.throws(() => clarion.unread(ids), /1001 changes .* 1000/);
});

test("acknowledgements are paced by the clock in a hidden page", async () => {
  // timers come once a minute there
  const { socket } = await connect();
  socket.open();
  const timers = mock.method(globalThis, "setTimeout", () => 0); // none of them comes
  try {
    for (let tag = 1; tag <= 300; tag++) {
      socket.say({ op: "batch", tag, items: [item(tag)], since: null });
      await settle();
      mock.timers.setTime(Date.now() + 200);
    }
    assert.equal(socket.sentOf("ack").length, 300);
    socket.say({ op: "batch", tag: 301, items: [item(301)], since: null });
    await settle();
    socket.say({ op: "batch", tag: 302, items: [item(302)], since: null });
    await settle();
    assert.equal(last(socket.sentOf("ack")).tag, 301);
    mock.timers.setTime(Date.now() + 25_000);
    socket.say({ op: "ping", since: null });
    assert.equal(last(socket.sentOf("ack")).tag, 302);
  } finally {
    timers.mock.restore();
  }
});

for (const { what, most, padding } of [
  { what: "items", most: 56, padding: "" },
  { what: "bytes", most: 8, padding: "x".repeat(30_000) },
]) {
  test(`a burst of all credit in ${what} is acknowledged at once`, async () => {
    const { socket } = await connect();
    socket.open();
    const timers = mock.method(globalThis, "setTimeout", () => 0);
    try {
      for (let tag = 1; tag <= most; tag++) {
        socket.say({ op: "batch", tag, items: [{ ...item(tag), data: { padding } }], since: null });
      }
      await settle();
      assert.deepEqual(
        socket.sentOf("ack").map((frame) => frame.tag),
        [1, most],
      );
    } finally {
      timers.mock.restore();
    }
  });
}
