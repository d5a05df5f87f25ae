/** @type {Record<string, string>} */
const SOCKET_PROTOCOLS = { "http:": "ws:", "https:": "wss:" };
/** @type {Record<string, string>} */
const HTTP_PROTOCOLS = { "ws:": "http:", "wss:": "https:" };

/**
 * The socket's address: ws or http, absolute or relative to the page. One that does not end in `/ws` is that of a gateway,
 * with the prefix below which a proxy has it, if there is one.
 *
 * @param {string | URL} url
 */
export function socketUrl(url) {
  const parsed = new URL(url, globalThis.location?.href);
  parsed.protocol = SOCKET_PROTOCOLS[parsed.protocol] ?? parsed.protocol;
  if (!parsed.pathname.endsWith("/ws")) parsed.pathname = `${parsed.pathname.replace(/\/+$/, "")}/v1/ws`;
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
