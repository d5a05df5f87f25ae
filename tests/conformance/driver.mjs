// The browser SDK as the table's application uses it: tells what happens, a line each, and does what a line asks for.
// Arguments: the SDK, the server's address, "websocket" or "stream", and the ids the application holds.
import { createInterface } from "node:readline";

const [sdk, url, transport, ...holds] = process.argv.slice(2);
/** @type {typeof import("../../libs/clarion-js/src/clarion.js")} */
const { Clarion } = await import(sdk);
/** @param {object} what */
const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

/** One that never gets through. */
class Blocked extends EventTarget {
  readyState = 3;
  close() {}
  constructor() {
    super();
    setImmediate(() => this.dispatchEvent(Object.assign(new Event("close"), { code: 1006 })));
  }
}

// of WebSocket the SDK uses no more than what it has
const blocked = /** @type {new (url: string, protocols: string[]) => WebSocket} */ (/** @type {unknown} */ (Blocked));

let tokens = 1;
let release = () => {};
/** @type {Promise<void>} */
const released = new Promise((resolve) => (release = resolve));
const clarion = new Clarion({
  url,
  getToken: ({ refresh }) => `conformance.token.${refresh ? ++tokens : tokens}`,
  random: () => 0,
  ...(transport === "stream" ? { WebSocket: blocked } : { fallback: false }),
});
clarion.on("notification", async (item) => {
  tell({ item: item.id });
  if (holds.includes(item.id)) await released;
});
clarion.on("unread", (unread) => tell({ unread }));
clarion.on("state", (state) => state.name === "closed" && tell({ closed: state.code }));
clarion.on("error", (error) => process.stderr.write(`${error}\n`));

for await (const line of createInterface({ input: process.stdin })) {
  /** @type {{ verb: "release" | "settle" | "close" | "read" | "unread" | "archive", ids: string[] }} */
  const { verb, ids } = JSON.parse(line);
  if (verb === "release") release();
  else if (verb === "close") clarion.close();
  else if (verb !== "settle") clarion[verb](ids);
  await new Promise((resolve) => setImmediate(resolve));
  tell({ done: verb });
}
clarion.close();
