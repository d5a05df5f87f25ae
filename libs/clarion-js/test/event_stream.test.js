import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Clarion } from "../src/clarion.js";
import { EventParser } from "../src/event_parser.js";
import { fakeSockets, fakeTime, HELLO, id, item, settle, TOKEN } from "./fake_socket.js";

const made = fakeTime();
// a stream's session names its mailbox and the lease's epoch
const hello = { ...HELLO, session: "3.7.s" };

/** A server's side of one stream. */
class FakeStream {
  constructor(url, how) {
    this.resume = JSON.parse(new URL(url).searchParams.get("resume"));
    this.how = how;
    const body = new ReadableStream({ start: (controller) => (this.body = controller) });
    how.signal.addEventListener("abort", () => this.body.error(how.signal.reason));
    this.answer = new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  async say(frame) {
    await this.write(`data: ${JSON.stringify(frame)}\n\n`);
  }

  async close(code, reason = "") {
    await this.write(`event: close\ndata: ${JSON.stringify({ code, reason })}\n\n`);
  }

  async write(text) {
    this.body.enqueue(new TextEncoder().encode(text));
    await settled();
  }

  async drop() {
    this.body.error(new TypeError("cut"));
    await settled();
  }
}

async function settled() {
  for (let n = 0; n < 3; n++) await settle(); // a stream hands its pieces on in several rounds
}

async function later(ms) {
  await settled(); // what is to wait is waiting
  mock.timers.tick(ms);
  await settled();
}

/** A Clarion whose sockets and streams are the test's; `status()` answers posts, and streams when it is not 200. */
async function connect({ status = () => 200, handler = () => {}, ...options } = {}) {
  const { FakeSocket, sockets } = fakeSockets();
  const streams = [];
  const posts = [];
  const fetch = async (url, how) => {
    const { pathname } = new URL(url);
    const code = status(pathname);
    if (code instanceof Error) throw code;
    const refusal = () => new Response("", { status: code, headers: { "retry-after": "7" } });
    if (how.method === "POST") {
      posts.push([pathname, JSON.parse(how.body), how.headers.authorization]);
      return code === 200
        ? new Response(pathname.includes("inbox") ? '{"unread":0}' : "", { status: code })
        : refusal();
    }
    if (code !== 200) return refusal();
    streams.push(new FakeStream(url, how));
    return streams.at(-1).answer;
  };
  const credentials = options.getToken ? {} : { token: TOKEN };
  const clarion = new Clarion({
    url: "http://gateway/",
    WebSocket: FakeSocket,
    fetch,
    random: () => 0.5,
    ...credentials,
    ...options,
  });
  made.push(clarion);
  const told = { states: [], items: [], errors: [] };
  clarion.on("state", (state) => told.states.push(state));
  clarion.on("error", (error) => told.errors.push(error));
  clarion.on("notification", (got) => {
    told.items.push(got.id);
    return handler(got);
  });
  await settled();
  return {
    clarion,
    told,
    sockets,
    streams,
    posts,
    get socket() {
      return sockets.at(-1);
    },
    get stream() {
      return streams.at(-1);
    },
  };
}

/** The same, where no socket gets through. */
async function connectByStream(options) {
  const link = await connect(options);
  link.socket.drop(1006);
  await later(250);
  if (link.stream) await link.stream.say(hello);
  return link;
}

test("events in any pieces are events, and an endless one is none", () => {
  const text = ": hello\r\ndata: a\r\ndata:  b\n\nid: 7\rdata:c\r\revent: close\ndata\n\n\n";
  for (let size = 1; size <= text.length; size++) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...parser.feed(text.slice(at, at + size)));
    assert.deepEqual(
      events,
      [
        { name: "message", data: "a\n b" },
        { name: "message", data: "c" },
        { name: "close", data: "" },
      ],
      `${size}`,
    );
  }
  assert.throws(() => new EventParser().feed("x".repeat(2 ** 20 + 1)), RangeError);
  const endless = `data: ${"x".repeat(1000)}\n`.repeat(1100);
  assert.throws(() => new EventParser().feed(endless), RangeError);
});

test("where no socket gets through, the stream carries resume, token, items and acknowledgements", async () => {
  const link = await connectByStream();
  assert.equal(link.stream.how.headers.authorization, `Bearer ${TOKEN}`);
  assert.deepEqual(link.stream.resume, { op: "resume", cursors: {}, since: null });
  assert.equal(link.clarion.state.transport, "stream");
  await link.stream.say({ op: "batch", tag: 1, items: [item(1), item(2)], since: null });
  assert.deepEqual(link.told.items, [id(1), id(2)]);
  assert.deepEqual(link.posts, [["/v1/stream/ack", { session: "3.7.s", tag: 1 }, `Bearer ${TOKEN}`]]);
  await link.stream.say({ op: "ping", since: null });
  assert.deepEqual(link.posts.at(-1)[1], { session: "3.7.s", tag: 1 }, "it is there, and has handled no more");
  link.clarion.read(id(1));
  await later(50);
  assert.deepEqual(link.posts.at(-1).slice(0, 2), ["/v1/inbox/read", { ids: [id(1)] }]);
});

test("where a socket cannot even be made, as in a runtime without them, the stream carries all, and stays", async () => {
  let tries = 0;
  class Missing {
    constructor() {
      tries++;
      throw new TypeError("WebSocket is not a constructor");
    }
  }
  const link = await connect({ WebSocket: Missing });
  await later(250);
  assert.equal(link.streams.length, 1);
  await link.stream.say(hello);
  assert.equal(link.clarion.state.transport, "stream");
  await later(7_500);
  await later(15_000);
  assert.equal(tries, 3, "tried out, ever less often");
  await link.stream.say({ op: "batch", tag: 1, items: [item(1)], since: null });
  assert.deepEqual(link.told.items, [id(1)]);
  assert.equal(link.streams.length, 1);
});

test("it resumes on another stream where it was, and stays with streams", async () => {
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
  assert.equal(link.clarion.state.retryMs, 2500);
  await later(2500);
  await link.stream.close(4403, "no");
  assert.deepEqual(link.clarion.state, { name: "closed", code: 4403, reason: "no" });
});

test("a stream that is refused for a while comes back when it is told to", async () => {
  const link = await connectByStream({ status: () => 503 });
  assert.equal(link.clarion.state.code, 1013);
  assert.ok(link.clarion.state.retryMs >= 7000);
});

test("one acknowledgement at a time, the latest, tried again until it is taken", async () => {
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

test("a server that does not know the stream any more, or refuses the token, is asked anew", async () => {
  for (const [code, close] of [
    [404, 1006],
    [401, 4401],
  ]) {
    const refreshes = [];
    const link = await connectByStream({
      status: (path) => (path.endsWith("/ack") ? code : 200),
      getToken: ({ refresh }) => {
        refreshes.push(refresh);
        return TOKEN;
      },
    });
    await link.stream.say({ op: "batch", tag: 1, items: [item(1)], since: null });
    assert.equal(link.clarion.state.code, close);
    await later(500);
    assert.equal(refreshes.at(-1), code === 401);
  }
});

test("nothing for a ping time and ten seconds ends a stream", async () => {
  const link = await connectByStream();
  await later(34_000);
  assert.equal(link.clarion.state.name, "open");
  await later(1_100);
  assert.equal(link.clarion.state.name, "waiting");
  assert.ok(link.streams[0].how.signal.aborted);
});

test("it goes back to sockets once one gets through, and is not without a connection till then", async () => {
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
  assert.equal(link.clarion.state.transport, "websocket");
  link.socket.drop(1006);
  await later(1_000);
  assert.equal(link.sockets.length, 5, "sockets get through, as far as is known");
  assert.equal(link.streams.length, 1);
});

test("while the server is away most tries are by socket", async () => {
  const link = await connect({ status: () => new TypeError("away") });
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

test("a socket that got through and was closed with a verdict makes no stream", async () => {
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

test("close says what is handled and ends the stream", async () => {
  const link = await connectByStream();
  await link.stream.say({ op: "batch", tag: 1, items: [item(1)], since: null });
  await link.stream.say({ op: "batch", tag: 2, items: [item(2)], since: null });
  link.clarion.close();
  await settled();
  assert.equal(link.posts.at(-1)[1].tag, 2);
  assert.ok(link.stream.how.signal.aborted);
  await later(600_000);
  assert.equal(link.streams.length, 1);
});

test("what a dead stream could not mark is marked by the next one only, so the later mark is the last word", async () => {
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
  assert.equal(link.posts.at(-1)[0], "/v1/inbox/archive");
  assert.equal(link.clarion.state.name, "open");
});
