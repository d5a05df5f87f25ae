import assert from "node:assert/strict";
import { test } from "node:test";

import { inState, last } from "./connected.js";
import { connectByStream, hello, later, settled } from "./connected_by_stream.js";
import { id, item, TOKEN } from "./fake_socket.js";

test("the latest acknowledgement is tried again until it is taken", async () => {
  let code = 503;
  const link = await connectByStream({ status: (path) => (path.endsWith("/ack") ? code : 200) });
  for (let tag = 1; tag <= 5; tag++) {
    await link.stream.say({ op: "batch", tag, items: [item(tag)], since: null });
    await later(50);
  }
  assert.deepEqual(
    link.posts.map(([, said]) => said.tag),
    [1],
  );
  code = 200;
  await later(8000);
  assert.deepEqual(
    link.posts.map(([, said]) => said.tag),
    [1, 5],
  );
});

test("an acknowledgement for an unknown stream or token reconnects", async () => {
  for (const [code, close] of [
    [404, 1006],
    [401, 4401],
  ]) {
    /** @type {boolean[]} */
    const refreshes = [];
    const link = await connectByStream({
      status: (path) => (path.endsWith("/ack") ? code : 200),
      getToken: ({ refresh }) => {
        refreshes.push(refresh);
        return TOKEN;
      },
    });
    await link.stream.say({ op: "batch", tag: 1, items: [item(1)], since: null });
    assert.equal(inState(link.clarion.state, "waiting").code, close);
    await later(500);
    assert.equal(refreshes.at(-1), code === 401);
  }
});

test("close says what is handled and ends the stream", async () => {
  const link = await connectByStream();
  await link.stream.say({ op: "batch", tag: 1, items: [item(1)], since: null });
  await link.stream.say({ op: "batch", tag: 2, items: [item(2)], since: null });
  link.clarion.close();
  await settled();
  assert.equal(last(link.posts)[1].tag, 2);
  assert.ok(link.stream.how.signal.aborted);
  await later(600_000);
  assert.equal(link.streams.length, 1);
});

test("what a dead stream could not mark is marked by the next only", async () => {
  // the later mark has to be the last word
  let code = 503;
  const link = await connectByStream({ status: (path) => (path.includes("inbox") ? code : 200) });
  const marks = () => link.posts.flatMap(([path, { ids }]) => (ids ? [[path.split("/").at(-1), ...ids]] : []));
  link.clarion.read(id(1));
  await settled();
  link.clarion.archive(id(2));
  await later(50);
  assert.deepEqual(marks(), [["read", id(1)]], "one after the other");
  await link.stream.drop();
  code = 200;
  link.clarion.unread(id(1));
  await later(500);
  await link.stream.say(hello);
  await later(50);
  await later(30_000);
  assert.deepEqual(marks().slice(1), [
    ["archive", id(2)],
    ["unread", id(1)],
  ]);
});

test("marks made just before close go out, also those that wait", async () => {
  let code = 503;
  const link = await connectByStream({ status: (path) => (path.includes("inbox") ? code : 200) });
  link.clarion.read(id(1));
  await settled();
  code = 200;
  link.clarion.archive(id(2));
  link.clarion.read(id(3));
  link.clarion.close();
  await settled();
  assert.deepEqual(
    link.posts.map(([path, { ids }]) => [path, ids]),
    [
      ["/v1/inbox/read", [id(1)]],
      ["/v1/inbox/read", [id(1)]],
      ["/v1/inbox/archive", [id(2)]],
      ["/v1/inbox/read", [id(3)]],
    ],
  );
});

test("a mark that is refused is told, and the stream goes on", async () => {
  const link = await connectByStream({ status: (path) => (path.includes("inbox/read") ? 404 : 200) });
  link.clarion.read(id(1));
  await settled();
  link.clarion.archive(id(2));
  await later(50);
  assert.deepEqual(
    link.told.errors.map(({ code, status }) => [code, status]),
    [["http", 404]],
  );
  assert.equal(last(link.posts)[0], "/v1/inbox/archive");
  assert.equal(link.clarion.state.name, "open");
});
