import assert from "node:assert/strict";
import { test } from "node:test";

import { Clarion } from "../src/clarion.js";
import { connect } from "./connected.js";
import { TOKEN } from "./fake_socket.js";

test("a listener that throws is reported and stops nobody", async () => {
  const { clarion, told, socket } = await connect();
  /** @type {number[]} */
  const seen = [];
  clarion.on("unread", () => {
    throw new Error("oops");
  });
  clarion.on("unread", (count) => seen.push(count));
  socket.open({ unread: 4 });
  assert.deepEqual(seen, [4]);
  assert.equal(told.errors[0].code, "listener");
});

test("options that cannot work are refused at once", () => {
  // @ts-expect-error: the types refuse it as well
  assert.throws(() => new Clarion({ url: "ws://x" }), /token or getToken/);
  // @ts-expect-error: so they do here
  assert.throws(() => new Clarion({ url: "ws://x", token: TOKEN, storage: {} }), /user/);
});
