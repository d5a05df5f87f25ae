import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Clarion } from "../src/clarion.js";
import { fakeSockets, fakeTime, id, item, settle, TOKEN } from "./fake_socket.js";

const made = fakeTime();

/** A Clarion on fake sockets, with what it told. */
async function connect(options = {}, { handler = () => {} } = {}) {
  const { FakeSocket, sockets } = fakeSockets();
  const credentials = options.getToken ? {} : { token: TOKEN };
  const fixed = { url: "http://gateway/", WebSocket: FakeSocket, random: () => 0.5, fallback: false };
  const clarion = new Clarion({ ...fixed, ...credentials, ...options });
  made.push(clarion);
  const told = { states: [], items: [], errors: [], unread: [], syncs: [], resyncs: 0 };
  clarion.on("state", (state) => told.states.push(state));
  clarion.on("error", (error) => told.errors.push(error));
  clarion.on("unread", (count) => told.unread.push(count));
  clarion.on("sync", (sync) => told.syncs.push(sync));
  clarion.on("resync", () => told.resyncs++);
  if (handler) {
    clarion.on("notification", (got) => {
      told.items.push(got.id);
      return handler(got);
    });
  }
  await settle();
  return {
    clarion,
    told,
    sockets,
    get socket() {
      return sockets.at(-1);
    },
  };
}

async function later(ms) {
  mock.timers.tick(ms);
  await settle();
}

function gate() {
  let open, fail;
  const promise = new Promise((resolve, reject) => ([open, fail] = [resolve, reject]));
  return { promise, open, fail };
}

test("offers the token as a subprotocol, never in the URL, and says resume first", async () => {
  const { socket, told } = await connect();
  assert.equal(socket.url, "ws://gateway/v1/ws");
  assert.deepEqual(socket.protocols, ["clarion.v1", `bearer.${TOKEN}`]);
  socket.open({ unread: 7 });
  assert.deepEqual(socket.sent, [{ op: "resume", cursors: {}, since: null }]);
  assert.deepEqual(
    told.states.map((state) => state.name),
    ["connecting", "open"],
  );
  assert.deepEqual(told.unread, [7]);
});

test("acknowledges a batch only after the handler's promise has settled", async () => {
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

test("handles in order, one at a time, and coalesces acks below the server's frame limit", async () => {
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
  const got = [];
  clarion.on("notification", (one) => got.push(one.id));
  await settle();
  assert.deepEqual(got, [id(1)]);
  assert.equal(socket.sentOf("ack").length, 1);
});

test("who stops listening in the middle of a batch leaves the rest of it unseen and unacknowledged", async () => {
  const { promise, open } = gate();
  const link = await connect({}, { handler: null });
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

test("what nobody listened for any more comes again on the next connection", async () => {
  const link = await connect({}, { handler: null });
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

test("resumes after the last handled item with the since told before it", async () => {
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

test("a connection that ends before anything came is resumed all the same", async () => {
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

test("a ping is answered at once, and its since is kept once all before it is handled", async () => {
  const { promise, open } = gate();
  const saved = new Map();
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

/** A Clarion with a storage, which has been sent `items` of which it handles all before the one numbered `last`. */
async function handlingUpTo(last, items) {
  const saved = [];
  const storage = { getItem: () => null, setItem: (_, value) => saved.push(JSON.parse(value)) };
  const hanging = (got) => (got.id === id(last) ? new Promise(() => {}) : undefined);
  const link = await connect({ storage, user: "ada" }, { handler: hanging });
  link.socket.open();
  link.socket.say({ op: "batch", tag: 1, items, since: "T" });
  await settle();
  return { ...link, saved, socket: link.socket };
}

test("what is handled is kept before its batch is done, and not once for each of them", async () => {
  const { saved, told } = await handlingUpTo(
    40,
    Array.from({ length: 50 }, (_, n) => item(n)),
  );
  assert.equal(told.items.length, 41);
  await later(50);
  assert.deepEqual(saved, [{ cursors: { normal: [0, 39] }, since: null }]);
});

test("what is kept never passes over what waits, since resuming there would acknowledge it", async () => {
  const { saved } = await handlingUpTo(5, [item(9), item(5), item(10)]);
  await later(50);
  assert.deepEqual(saved, [{ cursors: { normal: [0, 4] }, since: null }]);
});

for (const [how, end] of [
  ["closed", ({ clarion }) => clarion.close()],
  ["cut off", ({ socket }) => socket.drop(1006)],
]) {
  test(`who is ${how} in the middle of a batch keeps what is handled of it`, async () => {
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
  const storage = { getItem: (key) => kept.get(key), setItem() {} };
  const { socket } = await connect({ storage, user: "ada" });
  socket.open();
  assert.deepEqual(socket.sent[0], { op: "resume", cursors: { high: [1, 5] }, since: "T" });
});

test("a damaged storage is told to who listens, and the connection is made with what is left of it", async () => {
  const kept = new Map([["clarion.v1.ada", '{"cursors":{"high":[1,5],"express":[0,1]},"since":"T"}']]);
  const storage = { getItem: (key) => kept.get(key), setItem: (key, text) => kept.set(key, text) };
  const { socket, told } = await connect({ storage, user: "ada" });
  socket.open();
  assert.deepEqual(socket.sent[0], { op: "resume", cursors: { high: [1, 5] }, since: "T" });
  assert.deepEqual(
    told.errors.map((error) => error.code),
    ["storage"],
  );
  assert.match(told.errors[0].message, /cursor of express/);
});

test("a handler that fails stops the acks there and gets the notification again, with backoff", async () => {
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
  assert.equal(link.told.errors[0].item.id, id(2));
  assert.equal(link.told.states.at(-1).retryMs, 250);

  await later(250);
  link.socket.open();
  assert.deepEqual(link.socket.sent[0], { op: "resume", cursors: { normal: [0, 1] }, since: null });
  link.socket.say({ op: "batch", tag: 1, items: [item(2), item(3)], since: null });
  await settle();
  assert.equal(link.told.states.at(-1).retryMs, 500);

  await later(500);
  link.socket.open();
  link.socket.say({ op: "batch", tag: 1, items: [item(2), item(3)], since: null });
  await settle();
  assert.deepEqual(link.told.items, [id(1), id(2), id(2), id(2), id(3)]);
  assert.deepEqual(link.socket.sentOf("ack"), [{ op: "ack", tag: 1 }]);
});

test("a late item below the cursor whose handler fails is not acknowledged by resume", async () => {
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
  assert.deepEqual(link.socket.sent[0].cursors, { normal: [0, 4] });
});

test("a late item behind one in hand is not acknowledged by resume when the connection ends meanwhile", async () => {
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
  assert.deepEqual(link.socket.sent[0].cursors, {});
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
    link.told.errors.map((error) => error.item.id),
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
  assert.equal(link.told.states.at(-1).name, "waiting");
});

test("silence for ping_s and 10 s ends the connection; any frame puts that off", async () => {
  const link = await connect();
  link.socket.open({ ping_s: 25 });
  await later(34_999);
  link.socket.say({ op: "ping", since: null });
  await later(34_999);
  assert.equal(link.told.states.at(-1).name, "open");
  await later(1);
  assert.equal(link.told.states.at(-1).name, "waiting");
  assert.equal(link.socket.closedWith, 1000);
  link.socket.say({ op: "batch", tag: 1, items: [item(1)], since: null });
  assert.deepEqual(link.told.items, []);
});

test("a connection without hello is given up after 10 s", async () => {
  const link = await connect();
  await later(10_000);
  assert.equal(link.told.states.at(-1).name, "waiting");
  await later(250);
  assert.equal(link.sockets.length, 2);
});

test("bye tells when to come back", async () => {
  const link = await connect();
  link.socket.open();
  link.socket.say({ op: "bye", reason: "drain", retry_ms: 3_000 });
  link.socket.drop(1012);
  await settle();
  assert.deepEqual(link.told.states.at(-1), { name: "waiting", retryMs: 3_250, code: 1012, reason: "drain" });
  await later(3_249);
  assert.equal(link.sockets.length, 1);
  await later(1);
  assert.equal(link.sockets.length, 2);
});

test("4401 asks for a fresh token once, then closes", async () => {
  const asked = [];
  const link = await connect({
    getToken: async ({ refresh }) => {
      asked.push(refresh);
      return `a.b.${asked.length}`;
    },
  });
  link.socket.open();
  link.socket.drop(4401, "expired");
  await settle();
  await later(250);
  assert.deepEqual(asked, [false, true]);
  assert.deepEqual(link.socket.protocols, ["clarion.v1", "bearer.a.b.2"]);
  link.socket.drop(4401, "expired");
  await settle();
  assert.deepEqual(link.told.states.at(-1), { name: "closed", code: 4401, reason: "expired" });
  await later(60_000);
  assert.equal(link.sockets.length, 2);
});

test("getToken that fails or hangs is tried again, and still asks for a fresh one", async () => {
  const asked = [];
  const link = await connect({
    getToken: ({ refresh }) => {
      asked.push(refresh);
      if (asked.length === 2) throw new Error("offline");
      return asked.length === 3 ? new Promise(() => {}) : TOKEN;
    },
  });
  link.socket.drop(4401);
  await settle();
  await later(250);
  await later(250);
  await later(10_000);
  await later(500);
  assert.deepEqual(asked, [false, true, true, true]);
  assert.deepEqual(
    link.told.errors.map((error) => error.code),
    ["token", "token"],
  );
  assert.equal(link.sockets.length, 2);
});

test("what is no JWT closes without a word of it", async () => {
  const link = await connect({ token: "my secret, with spaces" });
  assert.equal(link.told.states.at(-1).name, "closed");
  assert.equal(link.sockets.length, 0);
  assert.doesNotMatch(JSON.stringify(link.told), /secret/);
});

for (const code of [4400, 4403]) {
  test(`${code} is final`, async () => {
    const link = await connect();
    link.socket.drop(code);
    await settle();
    await later(600_000);
    assert.equal(link.told.states.at(-1).name, "closed");
    assert.equal(link.sockets.length, 1);
  });
}

test("an id in upper case is the same id: its mark is confirmed by the server's lower case", async () => {
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

test("marks made offline are sent on reconnect, and again until the server confirms them", async () => {
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

test("a mark is confirmed by its own change only, and not before it is sent", async () => {
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

test("resync sends unconfirmed marks again, since their sync may be among what was not told", async () => {
  const { clarion, socket, told } = await connect();
  socket.open();
  clarion.archive(id(1));
  await later(50);
  socket.say({ op: "resync" });
  assert.equal(socket.sentOf("archive").length, 2);
  assert.equal(told.resyncs, 1);
});

test("marks are sent again with backoff when the server is too busy for one of them", async () => {
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
  assert.deepEqual(socket.sentOf("read").at(-1).ids, [id(5_000)]);
});

test("too many marks at once are refused as a whole, connected or not, and stop none of the others", async () => {
  const ids = Array.from({ length: 1_001 }, (_, n) => id(n));
  const { clarion, socket } = await connect();
  clarion.read(id(0));
  assert.throws(() => clarion.archive(ids), RangeError);
  socket.open();
  assert.throws(() => clarion.archive(ids), RangeError);
  clarion.read([...ids.slice(0, 999), id(0)]); // what is named twice, or waits already, is one
  await later(50);
  await later(50);
  const sent = socket.sent.slice(1).map(({ op, ids }) => [op, ids.length]);
  assert.deepEqual(sent, [
    ["read", 1],
    ["read", 500],
    ["read", 499],
  ]);
  assert.throws(() => clarion.unread(ids), /1001 changes .* 1000/);
});

test("what does not speak the protocol is left and tried again; what is newer is passed over", async () => {
  const link = await connect();
  link.socket.open();
  link.socket.say({ op: "from-the-future" });
  assert.deepEqual(link.told.errors, []);
  link.socket.sayText("<html>");
  await settle();
  assert.equal(link.told.errors[0].code, "protocol");
  assert.equal(link.told.states.at(-1).name, "waiting");
});

test("a server that ignores the window does not fill the memory", async () => {
  const link = await connect({}, { handler: () => new Promise(() => {}) });
  link.socket.open();
  const items = Array.from({ length: 50 }, (_, n) => item(n));
  for (let tag = 1; tag <= 21; tag++) link.socket.say({ op: "batch", tag, items, since: null });
  assert.equal(link.told.errors[0].code, "overflow");
  assert.equal(link.socket.closedWith, 1000);
});

test("close acknowledges what is handled and comes back no more", async () => {
  const link = await connect();
  link.socket.open();
  for (const tag of [1, 2]) link.socket.say({ op: "batch", tag, items: [item(tag)], since: null });
  await settle();
  link.clarion.close();
  assert.deepEqual(
    link.socket.sentOf("ack").map((frame) => frame.tag),
    [1, 2],
  );
  assert.equal(link.socket.closedWith, 1000);
  await later(600_000);
  assert.equal(link.sockets.length, 1);
  assert.equal(link.clarion.state.name, "closed");
  assert.throws(() => link.clarion.read(id(1)), /closed/);
});

test("retryNow cuts the wait short", async () => {
  const link = await connect();
  link.socket.drop(1006);
  await settle();
  link.clarion.retryNow();
  await settle();
  assert.equal(link.sockets.length, 2);
});

test("a listener that throws is reported and stops nobody", async () => {
  const { clarion, told, socket } = await connect();
  const seen = [];
  clarion.on("unread", () => {
    throw new Error("oops");
  });
  clarion.on("unread", (count) => seen.push(count));
  socket.open({ unread: 4 });
  assert.deepEqual(seen, [4]);
  assert.equal(told.errors[0].code, "listener");
});

test("a loop acknowledges when it asks for the next one, and not what it broke off at", async () => {
  const { clarion, socket, told } = await connect({}, { handler: null });
  socket.open();
  socket.say({ op: "batch", tag: 1, items: [item(1)], since: null });
  socket.say({ op: "batch", tag: 2, items: [item(2)], since: null });
  const got = [];
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

test("a loop slower than a handler may be acknowledges nothing that it was not given", async () => {
  const link = await connect({ handlerTimeoutMs: 1_000 }, { handler: null });
  const slow = gate();
  const got = [];
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

test("a socket that cannot even be made is a connection that failed, and is tried again", async () => {
  let tries = 0;
  class Forbidden {
    constructor(_, [, bearer]) {
      tries++;
      throw new Error(`no ws: on a page of https: (${bearer})`);
    }
  }
  const link = await connect({ WebSocket: Forbidden });
  const reason = "no WebSocket: no ws: on a page of https: (bearer.…)";
  assert.deepEqual(link.told.states.at(-1), { name: "waiting", retryMs: 250, code: 1006, reason });
  await later(250);
  assert.equal(tries, 2);
  assert.equal(link.told.states.at(-1).retryMs, 500);
});

test("options that cannot work are refused at once", () => {
  assert.throws(() => new Clarion({ url: "ws://x" }), /token or getToken/);
  assert.throws(() => new Clarion({ url: "ws://x", token: TOKEN, storage: {} }), /user/);
});

test("in a hidden page, where timers come once a minute, acknowledgements are paced by the clock", async () => {
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
    assert.equal(socket.sentOf("ack").at(-1).tag, 301);
    mock.timers.setTime(Date.now() + 25_000);
    socket.say({ op: "ping", since: null });
    assert.equal(socket.sentOf("ack").at(-1).tag, 302);
  } finally {
    timers.mock.restore();
  }
});

for (const [what, most, padding] of [
  ["items", 56, ""],
  ["bytes", 8, "x".repeat(30_000)],
]) {
  test(`a burst of the whole credit in ${what} is acknowledged without a timer`, async () => {
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
