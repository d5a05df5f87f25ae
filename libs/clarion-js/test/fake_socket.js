import { afterEach, beforeEach, mock } from "node:test";

/** What a gateway says first. */
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

/** A WebSocket whose other end is the test. */
export function fakeSockets() {
  const sockets = [];
  class FakeSocket extends EventTarget {
    readyState = 0;
    sent = [];
    closedWith = null;

    constructor(url, protocols) {
      super();
      this.url = url;
      this.protocols = protocols;
      sockets.push(this);
    }

    send(text) {
      this.sent.push(JSON.parse(text));
    }

    close(code) {
      this.readyState = 2;
      this.closedWith = code;
    }

    // ---- the server's side

    open(hello = {}) {
      this.readyState = 1;
      this.dispatchEvent(new Event("open"));
      this.say({ ...HELLO, ...hello });
    }

    say(frame) {
      this.sayText(JSON.stringify(frame));
    }

    sayText(data) {
      this.dispatchEvent(Object.assign(new Event("message"), { data }));
    }

    drop(code, reason = "") {
      this.readyState = 3;
      this.dispatchEvent(Object.assign(new Event("close"), { code, reason }));
    }

    sentOf(op) {
      return this.sent.filter((frame) => frame.op === op);
    }
  }
  return { FakeSocket, sockets };
}

/** All promise jobs that are ready, and those they make ready. */
export function settle() {
  return new Promise((resolve) => setImmediate(resolve));
}

export const id = (n) => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;

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
  const made = [];
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
  afterEach(() => {
    for (const clarion of made.splice(0)) clarion.close();
    mock.timers.reset();
  });
  return made;
}
