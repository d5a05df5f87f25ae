/** The socket's address: ws or http, absolute or relative to the page; without a path it is the gateway's own. */
export function socketUrl(url) {
  const parsed = new URL(url, globalThis.location?.href);
  parsed.protocol = { "http:": "ws:", "https:": "wss:" }[parsed.protocol] ?? parsed.protocol;
  if (parsed.pathname === "/") parsed.pathname = "/v1/ws";
  return parsed.href;
}

/** The HTTP address beside a socket's. */
export function beside(socket, path) {
  const url = new URL(path, socket);
  url.protocol = { "ws:": "http:", "wss:": "https:" }[url.protocol] ?? url.protocol;
  return url.href;
}
