import assert from "node:assert/strict";
import { mock } from "node:test";

import { Clarion } from "../src/clarion.js";
import { fakeSockets, fakeTime, settle, TOKEN } from "./fake_socket.js";

/**
 * @import { ClarionError, Notification, Options, State, Sync } from "../src/clarion.js"
 *
 * @typedef {object} Told what a Clarion told its listeners
 * @property {State[]} states
 * @property {string[]} items their ids
 * @property {ClarionError[]} errors
 * @property {number[]} unread
 * @property {Sync[]} syncs
 * @property {number} resyncs
 */

const made = fakeTime();

/**
 * A Clarion on fake sockets. It has a fixed token unless it gets tokens.
 *
 * @param {Partial<Options>} options
 */
export function onSockets(options = {}) {
  const { FakeSocket, sockets } = fakeSockets();
  const credentials = options.getToken ? {} : { token: TOKEN };
  const fixed = { url: "http://gateway/", WebSocket: FakeSocket, random: () => 0.5 };
  const clarion = new Clarion(/** @type {Options} */ ({ ...fixed, ...credentials, ...options }));
  made.push(clarion);
  return {
    clarion,
    sockets,
    get socket() {
      return last(sockets);
    },
  };
}

/**
 * The same without event streams, with what it told. Without a `handler` (null) nobody listens for notifications.
 *
 * @param {Partial<Options>} options
 * @param {{ handler?: ((got: Notification) => unknown) | null }} listeners
 */
export async function connect(options = {}, { handler = () => {} } = {}) {
  const link = onSockets({ fallback: false, ...options });
  const { clarion } = link;
  /** @type {Told} */
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
  return Object.assign(link, { told });
}

/**
 * Time passes, and all that is due happens.
 *
 * @param {number} ms
 */
export async function later(ms) {
  mock.timers.tick(ms);
  await settle();
}

/** A promise that the test settles. */
export function gate() {
  let open = () => {};
  /** @type {Promise<void>} */
  const promise = new Promise((resolve) => (open = resolve));
  return { promise, open };
}

/**
 * The last one, which there must be.
 *
 * @template T
 * @param {readonly T[]} list
 */
export function last(list) {
  assert.ok(list.length > 0, "none came");
  return list[list.length - 1];
}

/**
 * The state, which must have this name.
 *
 * @template {State["name"]} Name
 * @param {State} state
 * @param {Name} name
 */
export function inState(state, name) {
  assert.equal(state.name, name);
  return /** @type {Extract<State, { name: Name }>} */ (state);
}
