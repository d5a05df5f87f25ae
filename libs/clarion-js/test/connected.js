import { mock } from "node:test";

import { Clarion } from "../src/clarion.js";
import { fakeSockets, fakeTime, settle, TOKEN } from "./fake_socket.js";

const made = fakeTime();

/** A Clarion on fake sockets, with what it told. */
export async function connect(options = {}, { handler = () => {} } = {}) {
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

/** Time passes, and all that is due happens. */
export async function later(ms) {
  mock.timers.tick(ms);
  await settle();
}

/** A promise that the test settles. */
export function gate() {
  let open, fail;
  const promise = new Promise((resolve, reject) => ([open, fail] = [resolve, reject]));
  return { promise, open, fail };
}
