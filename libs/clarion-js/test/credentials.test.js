import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Clarion } from "../src/clarion.js";
import { Credentials } from "../src/credentials.js";
import { fakeSockets, fakeTime, settle } from "./fake_socket.js";

const made = fakeTime();
const taken = () => new Response('{"unread":0,"more":false}');
const refused = () => new Response("", { status: 401 });

/** Credentials whose `getToken` answers when the test says so: `asked` is what it was asked, `answers` how it may. */
function slowly() {
  const asked = [];
  const answers = [];
  const getToken = ({ refresh }) => {
    asked.push(refresh);
    return new Promise((resolve, reject) => answers.push({ resolve, reject }));
  };
  return { credentials: new Credentials({ getToken }), asked, answers };
}

test("a refresh token that may be used once is used once, whoever was refused", async () => {
  const { FakeSocket, sockets } = fakeSockets();
  const asked = [];
  const getToken = ({ refresh }) => {
    asked.push(refresh);
    const token = `a.b.${asked.filter(Boolean).length}`;
    return new Promise((resolve) => setTimeout(resolve, refresh ? 400 : 0, token));
  };
  const fetch = async (_, { headers }) => (headers.authorization === "Bearer a.b.1" ? taken() : refused());
  const clarion = new Clarion({ url: "http://gateway/", WebSocket: FakeSocket, fetch, getToken, random: () => 0.5 });
  made.push(clarion);
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

test("who was refused what is no longer the last token gets the last one", async () => {
  const { credentials, asked, answers } = slowly();
  const asking = [credentials.ask(), credentials.ask({ refresh: true, refused: "o.l.d" })];
  answers[0].resolve("n.e.w");
  await settle();
  asking.push(credentials.ask({ refresh: true, refused: "o.l.d" }));
  assert.deepEqual(asked, [false]);
  assert.deepEqual(await Promise.all(asking), ["n.e.w", "n.e.w", "n.e.w"]);
});

test("an ask under way is waited for, so that no old token comes after a new one", async () => {
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

test("an ask that fails, fails for all who share it, and the next one asks again", async () => {
  const { credentials, asked, answers } = slowly();
  const asking = [credentials.last(), credentials.ask(), credentials.ask({ refresh: true, refused: "o.l.d" })];
  const ends = Promise.allSettled(asking);
  answers[0].reject(new Error("offline"));
  await settle();
  assert.deepEqual(asked, [false, true]);
  answers[1].resolve("n.e.w");
  assert.deepEqual(
    (await ends).map(({ status, value }) => value ?? status),
    ["rejected", "rejected", "n.e.w"],
  );
});

test("a token that came for the inbox, and is refused as well, is not the socket's one refresh", async () => {
  const { FakeSocket, sockets } = fakeSockets();
  const asked = [];
  const getToken = ({ refresh }) => `a.b.${asked.push(refresh)}`;
  const fetch = async (_, { headers }) => (headers.authorization === "Bearer a.b.1" ? refused() : taken());
  const clarion = new Clarion({ url: "http://gateway/", WebSocket: FakeSocket, fetch, getToken, random: () => 0.5 });
  made.push(clarion);
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

async function later(ms) {
  await settle();
  mock.timers.tick(ms);
  await settle();
}
