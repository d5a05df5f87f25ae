// Addresses of views: what one writes, the other reads.

import assert from "node:assert/strict";
import { test } from "node:test";

import { addressOf, placeOf } from "../../../../services/console/page/router.js";

test("an address leads back to its place", () => {
  const address = addressOf("dead-letters", "notifications.low/3/17/0a", { since: "3600", topic: "", sender: null });
  assert.equal(address, "#/dead-letters/notifications.low%2F3%2F17%2F0a?since=3600");
  const { name, rest, query } = placeOf(address);
  assert.deepEqual([name, rest, query.get("since")], ["dead-letters", "notifications.low/3/17/0a", "3600"]);
});

test("names of users may hold anything", () => {
  for (const user of ["a b", "ü?#&=/%", "%zz", "<script>"]) assert.equal(placeOf(addressOf("users", user)).rest, user);
});

test("an address that somebody wrote by hand is no error", () => {
  assert.equal(placeOf("#/users/100%").rest, "100%");
  assert.deepEqual([placeOf("").name, placeOf("#").name, placeOf("#/").name], ["", "", ""]);
});
