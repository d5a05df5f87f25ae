import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";

import * as packaged from "@clarion/client";
import * as served from "../src/clarion.js";

test("who installs the package gets what a gateway serves", () => {
  assert.deepEqual(Object.keys(packaged), ["Clarion", "ClarionError"]);
  assert.equal(packaged.Clarion, served.Clarion);
});

test("package.json is exported, and names files that there are", () => {
  const path = createRequire(import.meta.url).resolve("@clarion/client/package.json");
  const { types, exports } = JSON.parse(readFileSync(path, "utf8"));
  for (const name of [types, exports["."].types, exports["."].default]) {
    assert.ok(existsSync(new URL(`../${name}`, import.meta.url)), name);
  }
});
