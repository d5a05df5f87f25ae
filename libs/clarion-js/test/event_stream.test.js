import assert from "node:assert/strict";
import { test } from "node:test";

import { inState, last } from "./connected.js";
import { connectByStream, later } from "./connected_by_stream.js";
import { id, item, TOKEN } from "./fake_socket.js";

test("where no socket gets through, a stream carries everything", async () => {
  const link = await connectByStream();
  assert.equal(link.stream.how.headers.authorization, `Bearer ${TOKEN}`);
  assert.deepEqual(link.stream.resume, { op: "resume", cursors: {}, since: null });
  assert.equal(inState(link.clarion.state, "open").transport, "stream");
  await link.stream.say({ op: "batch", tag: 1, items: [item(1), item(2)], since: null });
  assert.deepEqual(link.told.items, [id(1), id(2)]);
  assert.deepEqual(link.posts, [["/v1/stream/ack", { session: "3.7.s", tag: 1 }, `Bearer ${TOKEN}`]]);
  await link.stream.say({ op: "ping", since: null });
  assert.deepEqual(last(link.posts)[1], { session: "3.7.s", tag: 1 }, "it is there, and has handled no more");
  link.clarion.read(id(1));
  await later(50);
  assert.deepEqual(last(link.posts).slice(0, 2), ["/v1/inbox/read", { ids: [id(1)] }]);
});

test("it resumes on another stream, and stays with streams", async () => {
  const link = await connectByStream();
  await link.stream.say({ op: "batch", tag: 1, items: [item(1)], since: "T1" });
  await link.stream.drop();
  await later(500);
  assert.equal(link.streams.length, 2);
  assert.equal(link.sockets.length, 1);
  assert.deepEqual(link.stream.resume, { op: "resume", cursors: { normal: [0, 1] }, since: "T1" });
});

test("the last event says what to do, as a close frame does", async () => {
  const link = await connectByStream();
  await link.stream.say({ op: "bye", reason: "restart", retry_ms: 2000 });
  await link.stream.close(1012, "restart");
  assert.equal(inState(link.clarion.state, "waiting").retryMs, 2500);
  await later(2500);
  await link.stream.close(4403, "no");
  assert.deepEqual(link.clarion.state, { name: "closed", code: 4403, reason: "no" });
});

test("a refused stream comes back when it is told to", async () => {
  const link = await connectByStream({ status: () => 503 });
  const { code, retryMs } = inState(link.clarion.state, "waiting");
  assert.equal(code, 1013);
  assert.ok(retryMs >= 7000);
});

test("nothing for a ping time and ten seconds ends a stream", async () => {
  const link = await connectByStream();
  await later(34_000);
  assert.equal(link.clarion.state.name, "open");
  await later(1_100);
  assert.equal(link.clarion.state.name, "waiting");
  assert.ok(link.streams[0].how.signal.aborted);
});
