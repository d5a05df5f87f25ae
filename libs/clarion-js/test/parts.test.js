import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { backoff } from "../src/backoff.js";
import { refusal } from "../src/event_stream.js";
import { Progress } from "../src/progress.js";
import { RecentIds } from "../src/recent_ids.js";
import { Reconnect } from "../src/reconnect.js";
import { ledAway } from "../src/request.js";
import { beside, socketUrl } from "../src/urls.js";
import { item } from "./fake_socket.js";

/**
 * @import { Lane, ProgressStorage } from "../src/clarion.js"
 * @import { Ord, Owner } from "../src/position.js"
 * @import { ConnectionEnd } from "../src/reconnect.js"
 *
 * @typedef {{ closes?: number[], statuses?: number[], then: string, because: string }} Cause
 * @typedef {{ name: string, stored: string, cursors: Record<string, Ord>, since: string | null, owner?: Owner, damaged?: boolean }} Stored
 */

/**
 * A table of both SDKs.
 *
 * @param {string} name
 */
const table = (name) =>
  JSON.parse(readFileSync(new URL(`../../../tests/conformance/${name}.json`, import.meta.url), "utf8"));

/** @type {Cause[]} */
const CAUSES = table("causes");
/** @type {Stored[]} */
const STORED = table("stored");

const most = () => 0.999999;

test("backoff doubles from 0.5 s to 30 s and is drawn from zero", () => {
  const ceilings = [0, 1, 2, 5, 6, 7, 5000].map((failures) => Math.round(backoff(failures, most)));
  assert.deepEqual(ceilings, [500, 1000, 2000, 16000, 30000, 30000, 30000]);
  assert.equal(
    backoff(9, () => 0),
    0,
  );
});

test("recent ids forget the oldest; using one makes it young", () => {
  const ids = new RecentIds(2);
  for (const id of ["a", "b", "a", "c"]) ids.add(id);
  assert.deepEqual(
    ["a", "b", "c"].map((id) => ids.has(id)),
    [true, false, true],
  );
  assert.equal(ids.size, 2);
});

for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 1013, 4408, 4429]) {
  test(`comes back on ${code}`, () => {
    assert.notEqual(new Reconnect({ canRefresh: false }).after({ code }, 0), null);
  });
}

for (const code of [1003, 1007, 1008, 1009, 4400, 4403]) {
  test(`does not come back on ${code}`, () => {
    assert.equal(new Reconnect({ canRefresh: true }).after({ code }, 0), null);
  });
}

for (const { closes = [], statuses = [], then, because } of CAUSES) {
  const headers = { "retry-after": "7" };
  /** @type {{ name: string, end: ConnectionEnd }[]} */
  const ends = [
    ...closes.map((code) => ({ name: `close ${code}`, end: { code } })),
    ...statuses.map((status) => ({
      name: `HTTP ${status}`,
      end: refusal(new Response(null, { status, headers })),
    })),
  ];
  for (const { name, end } of ends) {
    test(`${name}, ${because}: ${then}`, () => {
      const found = new Reconnect({ canRefresh: true }).after(end, 0);
      assert.equal(found === null ? "final" : found.refresh ? "refresh" : "return", then);
      assert.equal(new Reconnect({ canRefresh: false }).after(end, 0) === null, then !== "return");
    });
  }
}

test("two refusals are final only when the second token is fresh", () => {
  // any other second one outlived a cut, or an outage outlived it
  const reconnect = new Reconnect({ canRefresh: true, random: () => 0 });
  for (const between of [1006, 1012, 1006]) {
    assert.equal(reconnect.after({ code: 4401 }, 0)?.refresh, true);
    reconnect.opened(1_000);
    assert.equal(reconnect.after({ code: between }, 2_000)?.refresh, false);
  }
  assert.equal(reconnect.after({ code: 4401 }, 3_000)?.refresh, true);
  reconnect.after({ code: 1006, hadNoToken: true }, 3_500);
  assert.equal(reconnect.after({ code: 4401 }, 4_000), null, "that one was just fetched");
});

test("an answer of another origin says nothing about the token", () => {
  // the token did not go there
  const answer = { redirected: true, url: "https://login.example/" };
  assert.match(ledAway(answer, "https://gateway.example/v1/inbox") ?? "", /use that address/);
  assert.equal(
    ledAway({ ...answer, url: "https://gateway.example/v1/inbox/" }, "https://gateway.example/v1/inbox"),
    null,
  );
  assert.equal(ledAway({ ...answer, redirected: false }, "https://gateway.example/v1/inbox"), null);
});

test("4401 is worth one refresh until a connection was stable", () => {
  const reconnect = new Reconnect({ canRefresh: true, random: most });
  assert.equal(reconnect.after({ code: 4401 }, 0)?.refresh, true);
  reconnect.opened(1_000);
  assert.equal(reconnect.after({ code: 4401 }, 2_000), null);
  reconnect.opened(3_000);
  assert.equal(reconnect.after({ code: 4401 }, 13_000)?.refresh, true);
});

test("4401 is final for a fixed token", () => {
  assert.equal(new Reconnect({ canRefresh: false }).after({ code: 4401 }, 0), null);
});

/**
 * How long it waits, if it comes back.
 *
 * @param {Reconnect} reconnect
 * @param {ConnectionEnd} end
 * @param {number} now
 */
function waitMs(reconnect, end, now) {
  const found = reconnect.after(end, now);
  assert.ok(found);
  return found.waitMs;
}

test("failures add up over connections that open and break at once", () => {
  const reconnect = new Reconnect({ canRefresh: false, random: most });
  const waits = [1, 2, 3].map((n) => {
    reconnect.opened(n * 100);
    return Math.round(waitMs(reconnect, { code: 1006 }, n * 100 + 50));
  });
  assert.deepEqual(waits, [500, 1000, 2000]);
  reconnect.opened(1_000);
  assert.equal(Math.round(waitMs(reconnect, { code: 1006 }, 60_000)), 500);
});

test("a retry hint comes before the jitter, up to five minutes", () => {
  /** @param {number} retryMs */
  const wait = (retryMs) => waitMs(new Reconnect({ canRefresh: false, random: most }), { code: 1012, retryMs }, 0);
  assert.equal(Math.round(wait(4_000)), 4_500);
  assert.equal(Math.round(wait(1e12)), 300_500);
  assert.equal(Math.round(wait(-5)), 500);
});

test("a crowd that was cut off together returns spread out", () => {
  const waits = Array.from({ length: 1_000 }, () =>
    waitMs(new Reconnect({ canRefresh: false }), { code: 1012, retryMs: 2_000 }, 0),
  );
  const tenths = Array.from({ length: 10 }, (_, n) => waits.filter((ms) => Math.floor((ms - 2_000) / 50) === n).length);
  assert.equal(
    tenths.reduce((sum, count) => sum + count),
    1_000,
  );
  assert.ok(Math.min(...tenths) > 40 && Math.max(...tenths) < 200, `${tenths}`);
});

const quiet = { onError: (/** @type {Error} */ error) => assert.fail(error) };
/** @type {(lane: Lane, generation: number, offset: number) => ReturnType<typeof item>} */
const placed = (lane, generation, offset) => item(offset, { lane, ord: [generation, offset] });

test("cursors go forward only, by generation before offset", () => {
  const progress = new Progress(quiet);
  progress.handled(placed("high", 0, 9));
  progress.handled(placed("high", 1, 2));
  progress.handled(placed("high", 0, 50));
  progress.handled(placed("high", 1, 1));
  progress.handled(item(3, { lane: "urgent", ord: undefined, unstored: true }));
  assert.deepEqual(progress.resume(), { op: "resume", cursors: { high: [1, 2] }, since: null });
});

test("an unhandled late item takes the cursor back before it", () => {
  const progress = new Progress(quiet);
  progress.handled(placed("low", 0, 9));
  progress.unhandled(placed("low", 0, 12));
  assert.deepEqual(progress.resume().cursors, { low: [0, 9] });
  progress.unhandled(placed("low", 0, 4));
  assert.deepEqual(progress.resume().cursors, { low: [0, 3] });
  progress.unhandled(placed("low", 0, 0));
  assert.deepEqual(progress.resume().cursors, {});
});

test("broken storage is reported once; progress goes on in memory", () => {
  /** @type {string[]} */
  const errors = [];
  const storage = {
    getItem: () => null,
    setItem: () => {
      throw new Error("quota");
    },
  };
  const progress = new Progress({ storage, user: "ada", onError: (error) => errors.push(error.code) });
  progress.handled(placed("low", 0, 1));
  progress.save();
  progress.save();
  assert.deepEqual(errors, ["storage"]);
  assert.deepEqual(progress.resume().cursors, { low: [0, 1] });
});

test("storage is written only when there is news", () => {
  // what is there may be another tab's, which is further
  /** @type {string[]} */
  const saved = [];
  /** @type {ProgressStorage} */
  const storage = { getItem: () => null, setItem: (_, text) => saved.push(text) };
  const progress = new Progress({ storage, user: "ada", ...quiet });
  progress.handled(placed("low", 0, 1));
  progress.save();
  progress.save();
  assert.equal(saved.length, 1);
  progress.reached("T");
  progress.save();
  assert.equal(saved.length, 2);
});

for (const { name, stored, cursors, since, owner, damaged } of STORED) {
  test(`a storage with ${name} is used where it can be`, () => {
    /** @type {string[]} */
    const errors = [];
    const kept = new Map([["clarion.v1.ada", stored]]);
    /** @type {ProgressStorage} */
    const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => kept.set(key, text) };
    const open = () => new Progress({ storage, user: "ada", onError: (error) => errors.push(error.code) }).resume();
    const wanted = { op: "resume", cursors, since, ...owner };
    assert.deepEqual(open(), wanted);
    assert.deepEqual(errors, damaged ? ["storage"] : []);
    assert.deepEqual(open(), wanted);
    assert.equal(errors.length, damaged ? 1 : 0, "it was said before");
  });
}

test("an item of an unknown lane moves no cursor", () => {
  // a gateway of today would not read such a cursor
  const progress = new Progress(quiet);
  progress.handled(placed(/** @type {Lane} */ ("express"), 0, 1));
  progress.handled(placed("low", 0, 2 ** 48));
  assert.deepEqual(progress.resume().cursors, {});
});

for (const [given, socket] of [
  ["http://gateway.example", "ws://gateway.example/v1/ws"],
  ["https://app.example/notify", "wss://app.example/notify/v1/ws"],
  ["https://app.example/notify/", "wss://app.example/notify/v1/ws"],
  ["wss://app.example/notify/v1/ws", "wss://app.example/notify/v1/ws"],
  ["wss://app.example/other/ws", "wss://app.example/other/ws"],
]) {
  test(`the socket of ${given}`, () => {
    assert.equal(socketUrl(given), socket);
    assert.equal(beside(socket, "inbox"), socket.replace(/^ws/, "http").replace(/ws$/, "inbox"));
  });
}
