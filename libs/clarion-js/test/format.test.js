import assert from "node:assert/strict";
import { test } from "node:test";

import { availableAt, relative, safeLink, stateText, unreadLabel } from "../page/format.js";

test("relative time, never in the future", () => {
  /** @type {[ago: number, text: string][]} */
  const cases = [
    [-5_000, "just now"],
    [9_999, "just now"],
    [10_000, "10 s ago"],
    [60_000, "1 min ago"],
    [3_599_999, "59 min ago"],
    [3_600_000, "1 h ago"],
    [90_000_000, "1 d ago"],
  ];
  for (const [ago, text] of cases) assert.equal(relative(1e12 - ago, 1e12), text);
});

test("links go to https only", () => {
  assert.equal(safeLink("https://example.org/a?b"), "https://example.org/a?b");
  for (const url of ["http://example.org", "javascript:alert(1)", " JavaScript:1", "//x", "", null, 5, {}]) {
    assert.equal(safeLink(url), null);
  }
});

test("the server's capped count is shown as 99+", () => {
  assert.deepEqual([0, 99, 100].map(unreadLabel), ["0", "99", "99+"]);
});

test("states in words", () => {
  /** @type {{ name: "waiting", retryMs: number, code: number }} */
  const waiting = { name: "waiting", retryMs: 500, code: 1006 };
  assert.equal(stateText({ ...waiting, until: 4_200 }, 1_000), "Reconnecting in 4\u00a0s");
  assert.equal(stateText({ ...waiting, until: 900 }, 1_000), "Reconnecting in 1\u00a0s");
  assert.equal(stateText({ name: "closed", code: 4403, reason: "not allowed" }, 0), "Closed: not allowed");
  assert.equal(stateText({ name: "open", resumed: true, degraded: false, transport: "websocket" }, 0), "Live");
});

test("an item's time is when it could be had, or when it was made", () => {
  const created_at = "2026-01-01T00:00:00.000Z";
  const available_at = "2026-01-02T00:00:00.000Z";
  assert.equal(availableAt({ created_at, available_at }), Date.parse(available_at));
  for (const item of [{ created_at }, { created_at, available_at: null }]) {
    assert.equal(availableAt(item), Date.parse(created_at));
  }
});
