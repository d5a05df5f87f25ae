import assert from "node:assert/strict";
import { test } from "node:test";

import { inState } from "./connected.js";
import { connect, connectByStream, hello, later, settled } from "./connected_by_stream.js";
import { asWebSocket, id, item, TOKEN } from "./fake_socket.js";

test("where there are no sockets, a stream carries all, and stays", async () => {
  let tries = 0;
  class Missing {
    constructor() {
      tries++;
      throw new TypeError("WebSocket is not a constructor");
    }
  }
  const link = await connect({ WebSocket: asWebSocket(Missing) });
  await later(250);
  assert.equal(link.streams.length, 1);
  await link.stream.say(hello);
  assert.equal(inState(link.clarion.state, "open").transport, "stream");
  await later(7_500);
  await later(15_000);
  assert.equal(tries, 3, "tried out, ever less often");
  await link.stream.say({ op: "batch", tag: 1, items: [item(1)], since: null });
  assert.deepEqual(link.told.items, [id(1)]);
  assert.equal(link.streams.length, 1);
});

test("it goes back to sockets once one gets through, without a gap", async () => {
  const link = await connectByStream();
  await later(7_500); // the first look
  assert.equal(link.sockets.length, 2);
  link.socket.drop(1006);
  await later(14_900);
  assert.equal(link.sockets.length, 2, "the second look comes later than the first");
  await link.stream.say({ op: "ping", since: null });
  await later(200);
  assert.equal(link.sockets.length, 3);
  assert.equal(link.clarion.state.name, "open");
  link.socket.open();
  assert.equal(link.socket.closedWith, 1000);
  await settled();
  await later(500);
  assert.equal(link.sockets.length, 4);
  link.socket.open();
  assert.equal(inState(link.clarion.state, "open").transport, "websocket");
  link.socket.drop(1006);
  await later(1_000);
  assert.equal(link.sockets.length, 5, "sockets get through, as far as is known");
  assert.equal(link.streams.length, 1);
});

test("while the server is away most tries are by socket", async () => {
  const link = await connect({ status: () => new TypeError("away") });
  /** @type {string[]} */
  const tries = [];
  for (let n = 0; n < 9; n++) {
    const before = link.sockets.length;
    if (link.socket.readyState === 0) link.socket.drop(1006);
    await later(30_000);
    tries.push(link.sockets.length > before ? "socket" : "stream");
  }
  assert.ok(tries.filter((one) => one === "stream").length <= 3, `${tries}`);
  assert.equal(tries[0], "stream");
});

test("a socket that was closed with a verdict makes no stream", async () => {
  const link = await connect({ getToken: () => TOKEN });
  link.socket.drop(4401);
  await later(500);
  assert.equal(link.sockets.length, 2);
  assert.equal(link.streams.length, 0);
});

test("without fallback there are sockets only", async () => {
  const link = await connect({ fallback: false });
  for (let n = 0; n < 5; n++) {
    link.socket.drop(1006);
    await later(30_000);
  }
  assert.equal(link.streams.length, 0);
  assert.equal(link.sockets.length, 6);
});
