/** @type {Record<string, string>} */
const SOCKET_PROTOCOLS = { "http:": "ws:", "https:": "wss:" };
/** @type {Record<string, string>} */
const HTTP_PROTOCOLS = { "ws:": "http:", "wss:": "https:" };

/**
 * The socket's address: ws or http, absolute or relative to the page; without a path it is the gateway's own.
 *
 * @param {string | URL} url
 */
export function socketUrl(url) {
  const parsed = new URL(url, globalThis.location?.href);
  parsed.protocol = SOCKET_PROTOCOLS[parsed.protocol] ?? parsed.protocol;
  if (parsed.pathname === "/") parsed.pathname = "/v1/ws";
  return parsed.href;
}

/**
 * The HTTP address beside a socket's.
 *
 * @param {string} socket
 * @param {string} path relative to it
 */
export function beside(socket, path) {
  const url = new URL(path, socket);
  url.protocol = HTTP_PROTOCOLS[url.protocol] ?? url.protocol;
  return url.href;
}
