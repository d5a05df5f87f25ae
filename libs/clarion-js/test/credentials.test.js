import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Credentials } from "../src/credentials.js";
import { onSockets } from "./connected.js";
import { fakeFetch } from "./fake_fetch.js";
import { settle } from "./fake_socket.js";

/** @import { Asked } from "./fake_fetch.js" */

const taken = () => new Response('{"unread":0,"more":false}');
const refused = () => new Response("", { status: 401 });
/** @param {Asked} how */
const hasFirstRefresh = ({ headers }) => headers.authorization === "Bearer a.b.1";

/** Credentials whose `getToken` answers when the test says so: `asked` is what it was asked, `answers` how it may. */
function slowly() {
  /** @type {boolean[]} */
  const asked = [];
  /** @type {{ resolve: (token: string) => void, reject: (error: Error) => void }[]} */
  const answers = [];
  /**
   * @param {{ refresh: boolean }} request
   * @returns {Promise<string>}
   */
  const getToken = ({ refresh }) => {
    asked.push(refresh);
    return new Promise((resolve, reject) => answers.push({ resolve, reject }));
  };
  return { credentials: new Credentials({ getToken }), asked, answers };
}

test("a refresh is asked for once, whoever was refused", async () => {
  /** @type {boolean[]} */
  const asked = [];
  /**
   * @param {{ refresh: boolean }} request
   * @returns {Promise<string>}
   */
  const getToken = ({ refresh }) => {
    asked.push(refresh);
    const token = `a.b.${asked.filter(Boolean).length}`;
    return new Promise((resolve) => setTimeout(() => resolve(token), refresh ? 400 : 0));
  };
  const fetch = fakeFetch((_, how) => (hasFirstRefresh(how) ? taken() : refused()));
  const { clarion, sockets } = onSockets({ fetch, getToken });
  await later(0);
  sockets[0].open();

  sockets[0].drop(4401, "revoked");
  const inbox = [clarion.inbox(), clarion.readAll()];
  for (const ms of [250, 400]) await later(ms);
  assert.deepEqual(asked, [false, true]);
  await Promise.all(inbox);
  assert.equal(sockets[1].protocols[1], "bearer.a.b.1");
  sockets[1].open();
  assert.equal(clarion.state.name, "open");
});

test("who was refused an earlier token gets the last one", async () => {
  const { credentials, asked, answers } = slowly();
  const asking = [credentials.ask(), credentials.ask({ refresh: true, refused: "o.l.d" })];
  answers[0].resolve("n.e.w");
  await settle();
  asking.push(credentials.ask({ refresh: true, refused: "o.l.d" }));
  assert.deepEqual(asked, [false]);
  assert.deepEqual(await Promise.all(asking), ["n.e.w", "n.e.w", "n.e.w"]);
});

test("an ask under way is waited for, so no old token comes last", async () => {
  const { credentials, asked, answers } = slowly();
  const asking = [credentials.ask(), credentials.ask({ refresh: true, refused: "o.l.d" })];
  await settle();
  assert.deepEqual(asked, [false]);
  answers[0].resolve("o.l.d");
  await settle();
  assert.deepEqual(asked, [false, true]);
  asking.push(credentials.ask(), credentials.ask({ refresh: true, refused: "o.l.d" }));
  assert.equal(asked.length, 2);
  answers[1].resolve("n.e.w");
  assert.deepEqual(await Promise.all(asking), ["o.l.d", "n.e.w", "n.e.w", "n.e.w"]);
  assert.equal(await credentials.last(), "n.e.w");
});

test("an ask fails for all who share it, and the next asks again", async () => {
  const { credentials, asked, answers } = slowly();
  const asking = [credentials.last(), credentials.ask(), credentials.ask({ refresh: true, refused: "o.l.d" })];
  const ends = Promise.allSettled(asking);
  answers[0].reject(new Error("offline"));
  await settle();
  assert.deepEqual(asked, [false, true]);
  answers[1].resolve("n.e.w");
  assert.deepEqual(
    (await ends).map((end) => (end.status === "fulfilled" ? end.value : end.status)),
    ["rejected", "rejected", "n.e.w"],
  );
});

test("a refresh for the inbox leaves the socket its own", async () => {
  /** @type {boolean[]} */
  const asked = [];
  /** @param {{ refresh: boolean }} request */
  const getToken = ({ refresh }) => `a.b.${asked.push(refresh)}`;
  const fetch = fakeFetch((_, how) => (hasFirstRefresh(how) ? refused() : taken()));
  const { clarion, sockets } = onSockets({ fetch, getToken });
  await later(0);
  sockets[0].open();
  await clarion.readAll();
  assert.deepEqual(asked, [false, true]);

  for (const n of [0, 1]) {
    sockets[n].drop(4401, "disconnect");
    await later(250);
  }
  assert.deepEqual(
    sockets.map((socket) => socket.protocols[1]),
    ["bearer.a.b.1", "bearer.a.b.2", "bearer.a.b.3"],
  );
  assert.deepEqual(asked, [false, true, true]);
  sockets[2].drop(4401, "disconnect");
  await settle();
  assert.equal(clarion.state.name, "closed");
});

/** @param {number} ms */
async function later(ms) {
  await settle();
  mock.timers.tick(ms);
  await settle();
}
