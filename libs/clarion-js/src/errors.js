/** `code`: handler, token, protocol, server, storage, overflow or listener. No message ever holds a token. */
export class ClarionError extends Error {
  constructor(code, message, { cause, item } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "ClarionError";
    this.code = code;
    if (item !== undefined) this.item = item;
  }
}
