import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, inState, last, later } from "./connected.js";
import { asWebSocket, id, item, settle, TOKEN } from "./fake_socket.js";

test("the token is a subprotocol, in no URL; resume comes first", async () => {
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

test("silence for ping_s and 10 s ends it; any frame puts that off", async () => {
  const link = await connect();
  link.socket.open({ ping_s: 25 });
  await later(34_999);
  link.socket.say({ op: "ping", since: null });
  await later(34_999);
  assert.equal(link.told.states.at(-1)?.name, "open");
  await later(1);
  assert.equal(link.told.states.at(-1)?.name, "waiting");
  assert.equal(link.socket.closedWith, 1000);
  link.socket.say({ op: "batch", tag: 1, items: [item(1)], since: null });
  assert.deepEqual(link.told.items, []);
});

test("a connection without hello is given up after 10 s", async () => {
  const link = await connect();
  await later(10_000);
  assert.equal(link.told.states.at(-1)?.name, "waiting");
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
  /** @type {boolean[]} */
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

test("getToken that fails or hangs is asked again for a fresh one", async () => {
  /** @type {boolean[]} */
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
  assert.equal(link.told.states.at(-1)?.name, "closed");
  assert.equal(link.sockets.length, 0);
  assert.doesNotMatch(JSON.stringify(link.told), /secret/);
});

for (const code of [4400, 4403]) {
  test(`${code} is final`, async () => {
    const link = await connect();
    link.socket.drop(code);
    await settle();
    await later(600_000);
    assert.equal(link.told.states.at(-1)?.name, "closed");
    assert.equal(link.sockets.length, 1);
  });
}

test("an unreadable frame ends it; a newer kind is passed over", async () => {
  const link = await connect();
  link.socket.open();
  link.socket.sayText(JSON.stringify({ op: "from-the-future" }));
  assert.equal(link.told.errors.length, 0);
  link.socket.sayText("<html>");
  await settle();
  assert.equal(link.told.errors[0].code, "protocol");
  assert.equal(link.told.states.at(-1)?.name, "waiting");
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

test("a socket that cannot be made has failed, and is tried again", async () => {
  let tries = 0;
  class Forbidden {
    /**
     * @param {string} _
     * @param {string[]} protocols
     */
    constructor(_, [, bearer]) {
      tries++;
      throw new Error(`no ws: on a page of https: (${bearer})`);
    }
  }
  const link = await connect({ WebSocket: asWebSocket(Forbidden) });
  const reason = "no WebSocket: no ws: on a page of https: (bearer.…)";
  assert.deepEqual(link.told.states.at(-1), { name: "waiting", retryMs: 250, code: 1006, reason });
  await later(250);
  assert.equal(tries, 2);
  assert.equal(inState(last(link.told.states), "waiting").retryMs, 500);
});
