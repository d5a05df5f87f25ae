// What a person reads.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  ago,
  bytes,
  count,
  counted,
  duration,
  moment,
  percent,
  pretty,
  rate,
} from "../../../../services/console/page/format.js";

const NOW = Date.parse("2026-11-30T12:00:00Z");

test("what nobody tells is a dash, and zero is zero", () => {
  for (const write of [count, rate, duration, bytes, percent]) assert.equal(write(null), "–");
  assert.deepEqual([count(0), rate(0), duration(0), bytes(0), percent(0)], ["0", "0", "0 s", "0 B", "0 %"]);
});

test("rates have as many digits as they need", () => {
  assert.deepEqual([0.01, 0.25, 9.94, 12.3, 4200].map(rate), ["< 0.1", "0.3", "9.9", "12", "4,200"]);
});

test("times have a unit that fits", () => {
  const seconds = [0.0004, 0.0123, 3.14, 59.6, 119, 600, 7000, 90_000, 800_000];
  assert.deepEqual(seconds.map(duration), [
    "< 1 ms",
    "12 ms",
    "3.1 s",
    "60 s",
    "119 s",
    "10 min",
    "117 min",
    "25 h",
    "9 d",
  ]);
});

test("bytes have a unit that fits", () => {
  assert.deepEqual([512, 2048, 40_960, 52_428_800].map(bytes), ["512 B", "2.0 KiB", "40 KiB", "50 MiB"]);
});

test("a moment of another day has its date", () => {
  assert.match(moment("2026-11-30T12:00:00Z", NOW, "en-GB"), /^\d\d:00:00$/);
  assert.match(moment("2026-11-20T12:00:00Z", NOW, "en-GB"), /^20 Nov 2026, \d\d:00:00$/);
  assert.equal(moment("odd", NOW), "odd");
});

test("ago tells what was and what will be", () => {
  const times = ["2026-11-30T11:59:59Z", "2026-11-30T11:59:00Z", "2026-11-30T12:01:00Z", null];
  assert.deepEqual(
    times.map((at) => ago(at, NOW)),
    ["just now", "60 s ago", "in 60 s", "–"],
  );
});

test("one is one and two are many", () => {
  assert.deepEqual(
    [counted(1, "letter"), counted(2, "letter"), counted(0, "process", "processes")],
    ["1 letter", "2 letters", "0 processes"],
  );
});

test("what is no JSON is shown as it is", () => {
  assert.equal(pretty('{"a":[1]}'), '{\n  "a": [\n    1\n  ]\n}');
  assert.equal(pretty("<script>"), "<script>");
});
