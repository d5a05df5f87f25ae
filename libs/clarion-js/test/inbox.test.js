import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Clarion } from "../src/clarion.js";
import { fakeSockets, fakeTime, id, item, settle, TOKEN } from "./fake_socket.js";

const made = fakeTime();

/** A Clarion whose fetch answers from a script, the last answer for ever: `[status, content, headers]` or an Error. */
function open(script, options = {}) {
  const { FakeSocket, sockets } = fakeSockets();
  const asked = [];
  const fetch = async (url, how) => {
    asked.push({ url, ...how, body: how.body && JSON.parse(how.body) });
    let answer = script.length > 1 ? script.shift() : script[0];
    if (typeof answer === "function") answer = await answer(how.signal);
    if (answer instanceof Error) throw answer;
    const [status, content, headers] = answer;
    return new Response(typeof content === "string" ? content : JSON.stringify(content), { status, headers });
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
  return {
    clarion,
    asked,
    get socket() {
      return sockets.at(-1);
    },
  };
}

/** Resolves or rejects as `promise`, while time passes. */
async function inTime(promise) {
  let isDone = false;
  const done = promise.finally(() => (isDone = true));
  done.catch(() => {});
  for (let n = 0; n < 200 && !isDone; n++) {
    await settle();
    if (!isDone) mock.timers.tick(500);
  }
  return done;
}

test("a page is asked at the socket's neighbour, with the token in a header and in no address", async () => {
  const page = { items: [item(1, { unread: true })], next: "abc" };
  const { clarion, asked } = open([[200, page]]);
  assert.deepEqual(await inTime(clarion.inbox()), page);
  await inTime(clarion.inbox({ cursor: "abc", limit: 7, unread: true }));
  assert.deepEqual(
    asked.map(({ method, url }) => `${method} ${url}`),
    ["GET http://gateway/v1/inbox?", "GET http://gateway/v1/inbox?cursor=abc&limit=7&unread=true"],
  );
  assert.equal(asked[0].headers.authorization, `Bearer ${TOKEN}`);
  assert.equal(asked[0].credentials, "omit");
});

test("unarchive goes in requests as large as the server takes, and resolves with the last count", async () => {
  const { clarion, asked } = open([
    [200, { unread: 9 }],
    [200, { unread: 8 }],
  ]);
  const ids = Array.from({ length: 501 }, (_, n) => id(n));
  assert.equal(await inTime(clarion.unarchive(ids)), 8);
  assert.deepEqual(
    asked.map(({ url, body }) => [url, body.ids.length]),
    [
      ["http://gateway/v1/inbox/unarchive", 500],
      ["http://gateway/v1/inbox/unarchive", 1],
    ],
  );
  await assert.rejects(clarion.unarchive("nonsense"), TypeError);
});

test("readAll asks until nothing is left", async () => {
  const { clarion, asked } = open([
    [200, { unread: 100, more: true }],
    [200, { unread: 1, more: false }],
  ]);
  assert.equal(await inTime(clarion.readAll()), 1);
  assert.equal(asked.length, 2);
});

test("while the server has no verdict it is asked again, as it says, and then given up", async () => {
  const busy = [503, { detail: "MongoDB is down" }, { "retry-after": "2" }];
  const { clarion, asked } = open([busy, new TypeError("cut"), [502, "<html>"], [200, { unread: 0, more: false }]]);
  assert.equal(await inTime(clarion.readAll()), 0);
  assert.equal(asked.length, 4);
  const away = open([busy]);
  await assert.rejects(inTime(away.clarion.readAll()), { code: "http", status: 503, message: "MongoDB is down" });
  assert.ok(away.asked.length > 3 && away.asked.length < 15, `${away.asked.length} tries`);
  const cut = open([new TypeError("cut")]);
  await assert.rejects(inTime(cut.clarion.readAll()), { code: "http", message: /cannot be reached: cut/ });
});

test("what is refused names its fields and is not tried again", async () => {
  const errors = [
    { pointer: "", code: "out_of_range", detail: "the parameter `limit`: a page has 1 to 200", limit: 200 },
  ];
  const { clarion, asked } = open([[422, { detail: "a parameter is invalid", errors }]]);
  await assert.rejects(inTime(clarion.inbox({ limit: 999 })), {
    code: "http",
    status: 422,
    errors,
    message: /1 to 200/,
  });
  assert.equal(asked.length, 1);
});

test("a refused token is fetched anew once", async () => {
  const requests = [];
  const getToken = (request) => {
    requests.push(request.refresh);
    return request.refresh ? "n.e.w" : "o.l.d";
  };
  const { clarion, asked } = open(
    [
      [401, {}],
      [200, { unread: 0, more: false }],
      [401, {}],
    ],
    { getToken },
  );
  assert.equal(await inTime(clarion.readAll()), 0);
  assert.deepEqual(
    asked.map(({ headers }) => headers.authorization),
    ["Bearer o.l.d", "Bearer n.e.w"],
  );
  await assert.rejects(inTime(clarion.readAll()), { code: "http", status: 401 });
  assert.equal(asked.length, 4);
  assert.equal(requests.filter((refresh) => refresh).length, 2);
});

test("an answer that never comes is given up, and close ends what is under way", async () => {
  const never = (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const { clarion, asked } = open([never]);
  await assert.rejects(inTime(clarion.readAll()), { code: "http", message: /cannot be reached/ });
  assert.ok(asked.length >= 2);
  const under = clarion.readAll();
  await settle();
  clarion.close();
  await assert.rejects(under, { code: "http", message: /closed/ });
  await assert.rejects(clarion.inbox(), { code: "http", message: /closed/ });
});

test("after resync the count is asked for; what is told meanwhile counts more", async () => {
  let answer;
  const { clarion, socket } = await opened([() => new Promise((resolve) => (answer = resolve))]);
  const told = [];
  clarion.on("unread", (count) => told.push(count));
  socket.open({ unread: 7 });
  socket.say({ op: "resync" });
  await settle();
  answer([200, { unread: 5 }]);
  await settle();
  assert.equal(clarion.unreadCount, 5);
  socket.say({ op: "resync" });
  await settle();
  socket.say({ op: "sync", change: "read", ids: [], unread: 3 });
  answer([200, { unread: 5 }]);
  await settle();
  assert.equal(clarion.unreadCount, 3);
  assert.deepEqual(told, [7, 5, 3]);
});

async function opened(script) {
  const all = open(script);
  await settle();
  return { clarion: all.clarion, socket: all.socket };
}
