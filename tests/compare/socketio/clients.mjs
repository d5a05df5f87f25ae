// A fleet of devices with the official client: is told what to do and tells what happens, as clients/lines.py has it.
import { constants, setPriority } from "node:os";
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

setPriority(constants.priority.PRIORITY_LOW);
const BYTES_EVERY_MS = 500;

/** @param {object} what */
const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

/** @type {Map<string, import("socket.io-client").Socket>} */
const devices = new Map();
let ended = 0; // bytes of connections that have ended
/** @type {Set<import("node:net").Socket>} */
const open = new Set();

/** @param {import("socket.io-client").Socket} socket */
const transport = (socket) => /** @type {any} */ (socket.io.engine)?.transport?.ws?._socket;

/** @param {import("socket.io-client").Socket} socket */
const count = (socket) => {
  const tcp = transport(socket);
  if (!tcp || open.has(tcp)) return;
  open.add(tcp);
  tcp.once("close", () => {
    ended += tcp.bytesRead;
    open.delete(tcp);
  });
};

/**
 * @param {string} user
 * @param {string | null} position what the user's application has kept: the offset of the last one that it has handled
 */
const connect = (user, position) => {
  const auth = { user, serverOffset: position ?? undefined };
  const socket = io(process.env.COMPARE_URL, { auth, transports: ["websocket"], forceNew: true });
  devices.set(user, socket);
  socket.on("connect", () => {
    count(socket);
    tell({ is: "live", user });
  });
  socket.on("disconnect", (reason) => {
    if (reason !== "io client disconnect") tell({ is: "ended", user, why: reason });
    // the server asked for it, and then the client has to connect by itself (documentation of `disconnect`)
    if (reason === "io server disconnect") socket.connect();
  });
  socket.on("connect_error", (error) => tell({ is: "ended", user, why: error.message }));
  socket.on("notification", (notification, offset) => {
    tell({ is: "got", user, key: notification.data.key, at: Date.now() / 1000, position: offset });
    auth.serverOffset = offset;
  });
};

let told = -1;
setInterval(() => {
  const received = [...open].reduce((sum, tcp) => sum + tcp.bytesRead, ended);
  if (received !== told) tell({ is: "bytes", count: received });
  told = received;
}, BYTES_EVERY_MS);

for await (const line of createInterface({ input: process.stdin })) {
  const { do: what, user, position } = JSON.parse(line);
  const socket = devices.get(user);
  if (what === "connect" && !socket) connect(user, position);
  else if (what === "leave" && socket) {
    devices.delete(user);
    socket.disconnect();
  } else if (what === "cut" && socket) transport(socket)?.destroy();
}
process.exit(0);
