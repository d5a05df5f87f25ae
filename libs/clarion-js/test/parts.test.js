import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { backoff } from "../src/backoff.js";
import { refusal } from "../src/event_stream.js";
import { Progress } from "../src/progress.js";
import { RecentIds } from "../src/recent_ids.js";
import { Reconnect } from "../src/reconnect.js";
import { ledAway } from "../src/request.js";

// the tables of both SDKs
const table = (name) =>
  JSON.parse(readFileSync(new URL(`../../../tests/conformance/${name}.json`, import.meta.url), "utf8"));

const most = () => 0.999999;

test("backoff doubles from 0.5 s to 30 s and is drawn from zero", () => {
  const ceilings = [0, 1, 2, 5, 6, 7, 5000].map((failures) => Math.round(backoff(failures, most)));
  assert.deepEqual(ceilings, [500, 1000, 2000, 16000, 30000, 30000, 30000]);
  assert.equal(
    backoff(9, () => 0),
    0,
  );
});

test("recent ids forget the oldest, and using one again makes it young", () => {
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

for (const { closes = [], statuses = [], then, because } of table("causes")) {
  const ends = [
    ...closes.map((code) => [`close ${code}`, { code }]),
    ...statuses.map((status) => [`HTTP ${status}`, refusal({ status, headers: new Headers({ "retry-after": "7" }) })]),
  ];
  for (const [name, end] of ends) {
    test(`${name}, ${because}: ${then}`, () => {
      const found = new Reconnect({ canRefresh: true }).after(end, 0);
      assert.equal(found === null ? "final" : found.refresh ? "refresh" : "return", then);
      assert.equal(new Reconnect({ canRefresh: false }).after(end, 0) === null, then !== "return");
    });
  }
}

test("two refusals of different tokens are no verdict: the second outlived a cut, or was outlived by an outage", () => {
  const reconnect = new Reconnect({ canRefresh: true, random: () => 0 });
  for (const between of [1006, 1012, 1006]) {
    assert.equal(reconnect.after({ code: 4401 }, 0).refresh, true);
    reconnect.opened(1_000);
    assert.equal(reconnect.after({ code: between }, 2_000).refresh, false);
  }
  assert.equal(reconnect.after({ code: 4401 }, 3_000).refresh, true);
  reconnect.after({ code: 1006, hadNoToken: true }, 3_500);
  assert.equal(reconnect.after({ code: 4401 }, 4_000), null, "that one was just fetched");
});

test("an answer of another origin is no word about the token, which did not go there", () => {
  const answer = { redirected: true, url: "https://login.example/", status: 401 };
  assert.match(ledAway(answer, "https://gateway.example/v1/inbox"), /use that address/);
  assert.equal(
    ledAway({ ...answer, url: "https://gateway.example/v1/inbox/" }, "https://gateway.example/v1/inbox"),
    null,
  );
  assert.equal(ledAway({ ...answer, redirected: false }, "https://gateway.example/v1/inbox"), null);
});

test("4401 is worth one refresh, and another only after a stable connection", () => {
  const reconnect = new Reconnect({ canRefresh: true, random: most });
  assert.equal(reconnect.after({ code: 4401 }, 0).refresh, true);
  reconnect.opened(1_000);
  assert.equal(reconnect.after({ code: 4401 }, 2_000), null);
  reconnect.opened(3_000);
  assert.equal(reconnect.after({ code: 4401 }, 13_000).refresh, true);
});

test("4401 is final for a fixed token", () => {
  assert.equal(new Reconnect({ canRefresh: false }).after({ code: 4401 }, 0), null);
});

test("failures add up over connections that open and break at once", () => {
  const reconnect = new Reconnect({ canRefresh: false, random: most });
  const waits = [1, 2, 3].map((n) => {
    reconnect.opened(n * 100);
    return Math.round(reconnect.after({ code: 1006 }, n * 100 + 50).waitMs);
  });
  assert.deepEqual(waits, [500, 1000, 2000]);
  reconnect.opened(1_000);
  assert.equal(Math.round(reconnect.after({ code: 1006 }, 60_000).waitMs), 500);
});

test("the server's retry hint comes before the jitter, and is believed up to five minutes", () => {
  const wait = (retryMs) => new Reconnect({ canRefresh: false, random: most }).after({ code: 1012, retryMs }, 0).waitMs;
  assert.equal(Math.round(wait(4_000)), 4_500);
  assert.equal(Math.round(wait(1e12)), 300_500);
  assert.equal(Math.round(wait(-5)), 500);
});

test("a crowd that was cut off together returns spread out", () => {
  const waits = Array.from(
    { length: 1_000 },
    () => new Reconnect({ canRefresh: false }).after({ code: 1012, retryMs: 2_000 }, 0).waitMs,
  );
  const tenths = Array.from({ length: 10 }, (_, n) => waits.filter((ms) => Math.floor((ms - 2_000) / 50) === n).length);
  assert.equal(
    tenths.reduce((sum, count) => sum + count),
    1_000,
  );
  assert.ok(Math.min(...tenths) > 40 && Math.max(...tenths) < 200, `${tenths}`);
});

const quiet = { onError: (error) => assert.fail(error) };

test("cursors go forward only, by generation before offset", () => {
  const progress = new Progress(quiet);
  for (const ord of [
    [0, 9],
    [1, 2],
    [0, 50],
    [1, 1],
  ])
    progress.handled({ lane: "high", ord });
  progress.handled({ lane: "urgent", unstored: true });
  assert.deepEqual(progress.resume(), { op: "resume", cursors: { high: [1, 2] }, since: null });
});

test("a late item that is not handled takes the cursor back before it", () => {
  const progress = new Progress(quiet);
  progress.handled({ lane: "low", ord: [0, 9] });
  progress.unhandled({ lane: "low", ord: [0, 12] });
  assert.deepEqual(progress.resume().cursors, { low: [0, 9] });
  progress.unhandled({ lane: "low", ord: [0, 4] });
  assert.deepEqual(progress.resume().cursors, { low: [0, 3] });
  progress.unhandled({ lane: "low", ord: [0, 0] });
  assert.deepEqual(progress.resume().cursors, {});
});

test("storage that is full or broken is reported once, and progress goes on in memory", () => {
  const errors = [];
  const storage = {
    getItem: () => null,
    setItem: () => {
      throw new Error("quota");
    },
  };
  const progress = new Progress({ storage, user: "ada", onError: (error) => errors.push(error.code) });
  progress.handled({ lane: "low", ord: [0, 1] });
  progress.save();
  progress.save();
  assert.deepEqual(errors, ["storage"]);
  assert.deepEqual(progress.resume().cursors, { low: [0, 1] });
});

test("storage is written when there is news only: what is there may be another tab's, which is further", () => {
  const saved = [];
  const storage = { getItem: () => null, setItem: (_, text) => saved.push(text) };
  const progress = new Progress({ storage, user: "ada", ...quiet });
  progress.handled({ lane: "low", ord: [0, 1] });
  progress.save();
  progress.save();
  assert.equal(saved.length, 1);
  progress.reached("T");
  progress.save();
  assert.equal(saved.length, 2);
});

for (const { name, stored, cursors, since, owner, damaged } of table("stored")) {
  test(`a storage with ${name}: what can be used is, the rest is mended and said once`, () => {
    const errors = [];
    const kept = new Map([["clarion.v1.ada", stored]]);
    const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => kept.set(key, text) };
    const open = () => new Progress({ storage, user: "ada", onError: (error) => errors.push(error.code) }).resume();
    const wanted = { op: "resume", cursors, since, ...owner };
    assert.deepEqual(open(), wanted);
    assert.deepEqual(errors, damaged ? ["storage"] : []);
    assert.deepEqual(open(), wanted);
    assert.equal(errors.length, damaged ? 1 : 0, "it was said before");
  });
}

test("an item of a later version's lane moves no cursor: a gateway of today would not read it", () => {
  const progress = new Progress(quiet);
  progress.handled({ lane: "express", ord: [0, 1] });
  progress.handled({ lane: "low", ord: [0, 2 ** 48] });
  assert.deepEqual(progress.resume().cursors, {});
});
