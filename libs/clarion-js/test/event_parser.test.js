import assert from "node:assert/strict";
import { test } from "node:test";

import { EventParser } from "../src/event_parser.js";

/** @import { ServerSentEvent } from "../src/event_parser.js" */

test("events in any pieces are events, and an endless one is none", () => {
  const text = ": hello\r\ndata: a\r\ndata:  b\n\nid: 7\rdata:c\r\revent: close\ndata\n\n\n";
  for (let size = 1; size <= text.length; size++) {
    const parser = new EventParser();
    /** @type {ServerSentEvent[]} */
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...parser.feed(text.slice(at, at + size)));
    assert.deepEqual(
      events,
      [
        { name: "message", data: "a\n b" },
        { name: "message", data: "c" },
        { name: "close", data: "" },
      ],
      `${size}`,
    );
  }
  assert.throws(() => new EventParser().feed("x".repeat(2 ** 20 + 1)), RangeError);
  const endless = `data: ${"x".repeat(1000)}\n`.repeat(1100);
  assert.throws(() => new EventParser().feed(endless), RangeError);
});
