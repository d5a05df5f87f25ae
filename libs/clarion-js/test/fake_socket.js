import { afterEach, beforeEach, mock } from "node:test";

/**
 * @import { Clarion, InboxItem, Notification, Options } from "../src/clarion.js"
 * @import { ClientFrame, Hello, Resume, ServerFrame } from "../src/frames.js"
 *
 * @typedef {Resume | ClientFrame} Sent what a client says
 */

/**
 * What a gateway says first.
 *
 * @type {Hello}
 */
export const HELLO = {
  op: "hello",
  session: "s",
  ping_s: 25,
  window: 64,
  window_bytes: 262144,
  unread: 0,
  resumed: false,
  degraded: false,
};

/**
 * A fake in place of WebSocket, of which the SDK uses no more than the fake has.
 *
 * @param {new (url: string, protocols: string[]) => object} fake
 */
export function asWebSocket(fake) {
  return /** @type {NonNullable<Options["WebSocket"]>} */ (fake);
}

/** A WebSocket whose other end is the test, and all that were opened. */
export function fakeSockets() {
  /** @type {FakeSocket[]} */
  const sockets = [];
  class FakeSocket extends EventTarget {
    readyState = 0;
    /** @type {Sent[]} */
    sent = [];
    /** @type {number | null} */
    closedWith = null;

    /**
     * @param {string} url
     * @param {string[]} protocols
     */
    constructor(url, protocols) {
      super();
      this.url = url;
      this.protocols = protocols;
      sockets.push(this);
    }

    /** @param {string} text */
    send(text) {
      this.sent.push(JSON.parse(text));
    }

    /** @param {number} code */
    close(code) {
      this.readyState = 2;
      this.closedWith = code;
    }

    // ---- the server's side

    /** @param {Partial<Hello>} hello */
    open(hello = {}) {
      this.readyState = 1;
      this.dispatchEvent(new Event("open"));
      this.say({ ...HELLO, ...hello });
    }

    /** @param {ServerFrame} frame */
    say(frame) {
      this.sayText(JSON.stringify(frame));
    }

    /** @param {string} data */
    sayText(data) {
      this.dispatchEvent(Object.assign(new Event("message"), { data }));
    }

    /**
     * @param {number} code
     * @param {string} reason
     */
    drop(code, reason = "") {
      this.readyState = 3;
      this.dispatchEvent(Object.assign(new Event("close"), { code, reason }));
    }

    /**
     * @template {Sent["op"]} Op
     * @param {Op} op
     */
    sentOf(op) {
      return this.sent.filter(/** @returns {frame is Sent & { op: Op }} */ (frame) => frame.op === op);
    }
  }
  return { FakeSocket: asWebSocket(FakeSocket), sockets };
}

/**
 * All promise jobs that are ready, and those they make ready.
 *
 * @returns {Promise<void>}
 */
export function settle() {
  return new Promise((resolve) => setImmediate(resolve));
}

/** @param {number} n */
export const id = (n) => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;

/**
 * @param {number} n
 * @param {Partial<InboxItem>} more
 * @returns {Notification}
 */
export const item = (n, more = {}) => ({
  id: id(n),
  type: "test.made",
  message: `message ${n}`,
  sender: "tests",
  data: {},
  created_at: "2026-01-01T00:00:00.000Z",
  lane: "normal",
  ord: [0, n],
  ...more,
});

export const TOKEN = "aaa.bbb.ccc";

/** Time moves by `mock.timers` only. Whatever a test puts into the list is closed after it. */
export function fakeTime() {
  /** @type {Clarion[]} */
  const made = [];
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
  afterEach(() => {
    for (const clarion of made.splice(0)) clarion.close();
    mock.timers.reset();
  });
  return made;
}
