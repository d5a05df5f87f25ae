import { messageOf } from "./errors.js";
import { CONNECT_TIMEOUT_MS } from "./limits.js";
import { CLOSE_NETWORK, CLOSE_NORMAL } from "./reconnect.js";

/**
 * @import { Transport, TransportEvents } from "./connection.js"
 * @import { TransportOptions } from "./transport_selector.js"
 */

const SUBPROTOCOL = "clarion.v1";
const OPEN = 1; // WebSocket.OPEN

/**
 * The transport for where a socket gets through. What was sent before `close()` still goes out.
 *
 * @param {TransportOptions} options
 * @param {TransportEvents} events
 * @returns {Transport}
 */
export function openSocket({ WebSocket, url, token }, { resume, onText, onClose }) {
  /** @type {WebSocket} */
  let socket;
  try {
    socket = new WebSocket(url, protocols(token));
  } catch (cause) {
    return unopened(messageOf(cause).replaceAll(token, "…"), onClose);
  }
  /** @param {object} frame */
  const send = (frame) => {
    if (socket.readyState === OPEN) socket.send(JSON.stringify(frame));
  };
  /** @type {Record<string, (event: any) => void>} */
  const listeners = {
    open: () => send(resume()),
    message: (event) => onText(event.data),
    close: (event) => onClose({ code: event.code || CLOSE_NETWORK, reason: event.reason }),
  };
  for (const [event, listener] of Object.entries(listeners)) socket.addEventListener(event, listener);
  return {
    send,
    close() {
      for (const [event, listener] of Object.entries(listeners)) socket.removeEventListener(event, listener);
      socket.close(CLOSE_NORMAL);
    },
  };
}

/**
 * Whether sockets get through: `onAnswer(isThrough)`, within 10 s. A message has to come, since some proxies let the
 * upgrade pass and nothing after it. Returns the function that breaks off.
 *
 * @param {TransportOptions} options
 * @param {(isThrough: boolean) => void} onAnswer
 */
export function tryOutSocket({ WebSocket, url, token }, onAnswer) {
  /** @type {WebSocket} */
  let socket;
  try {
    socket = new WebSocket(url, protocols(token));
  } catch {
    onAnswer(false);
    return () => {};
  }
  const timer = setTimeout(() => end(false), CONNECT_TIMEOUT_MS);
  const onMessage = () => end(true);
  const onClose = () => end(false);
  const stop = () => {
    clearTimeout(timer);
    socket.removeEventListener("message", onMessage);
    socket.removeEventListener("close", onClose);
    socket.close(CLOSE_NORMAL);
  };
  /** @param {boolean} isThrough */
  const end = (isThrough) => {
    stop();
    onAnswer(isThrough);
  };
  socket.addEventListener("message", onMessage);
  socket.addEventListener("close", onClose);
  return stop;
}

/**
 * There is none in this runtime, or none for this address: a page of https: may open no ws:.
 *
 * @param {string} why
 * @param {TransportEvents["onClose"]} onClose
 * @returns {Transport}
 */
function unopened(why, onClose) {
  // later, as sockets do: its connection is not made yet
  queueMicrotask(() => onClose({ code: CLOSE_NETWORK, reason: `no WebSocket: ${why}` }));
  return { send() {}, close() {} };
}

/** @param {string} token */
function protocols(token) {
  return [SUBPROTOCOL, `bearer.${token}`];
}
