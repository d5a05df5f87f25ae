import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { onSockets } from "./connected.js";
import { fakeFetch } from "./fake_fetch.js";
import { id, item, settle, TOKEN } from "./fake_socket.js";

/**
 * @import { Options } from "../src/clarion.js"
 * @import { Asked } from "./fake_fetch.js"
 *
 * @typedef {[status: number, content: object | string, headers?: Record<string, string>]} Answer
 * @typedef {Answer | Error | ((signal: AbortSignal) => Promise<Answer>)} Scripted
 *
 * @typedef {Omit<Asked, "body"> & { url: string, ids: string[] | undefined }} Request
 */

/**
 * A Clarion whose fetch answers from a script, the last answer for ever.
 *
 * @param {Scripted[]} script
 * @param {Partial<Options>} options
 */
function open(script, options = {}) {
  /** @type {Request[]} */
  const asked = [];
  const answers = script.values();
  let scripted = script[0];
  const fetch = fakeFetch(async (url, { body, ...how }) => {
    asked.push({ url, ...how, ids: body === undefined ? undefined : JSON.parse(body).ids });
    scripted = answers.next().value ?? scripted;
    const answer = typeof scripted === "function" ? await scripted(how.signal) : scripted;
    if (answer instanceof Error) throw answer;
    const [status, content, headers] = answer;
    return new Response(typeof content === "string" ? content : JSON.stringify(content), { status, headers });
  });
  const { clarion, sockets } = onSockets({ fetch, ...options });
  return { clarion, asked, sockets };
}

/**
 * Resolves or rejects as `promise`, while time passes.
 *
 * @template T
 * @param {Promise<T>} promise
 */
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

test("a page is asked for beside the socket, its token in a header", async () => {
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

test("unarchive is split into requests, and the last count holds", async () => {
  const { clarion, asked } = open([
    [200, { unread: 9 }],
    [200, { unread: 8 }],
  ]);
  const ids = Array.from({ length: 501 }, (_, n) => id(n));
  assert.equal(await inTime(clarion.unarchive(ids)), 8);
  assert.deepEqual(
    asked.map(({ url, ids }) => [url, ids?.length]),
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

test("without a verdict the server is asked again, then given up", async () => {
  /** @type {Answer} */
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
  /** @type {boolean[]} */
  const requests = [];
  /** @param {{ refresh: boolean }} request */
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

test("an answer that never comes is given up; close ends the rest", async () => {
  /**
   * @param {AbortSignal} signal
   * @returns {Promise<Answer>}
   */
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

test("resync asks for the count; a count told meanwhile holds", async () => {
  /** @type {(answer: Answer) => void} */
  let answer = () => {};
  const { clarion, sockets } = open([() => new Promise((resolve) => (answer = resolve))]);
  await settle();
  const [socket] = sockets;
  /** @type {number[]} */
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
