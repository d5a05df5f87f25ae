/** `code`: handler, token, protocol, server, storage, overflow, http or listener. No message ever holds a token. */
export class ClarionError extends Error {
  constructor(code, message, { cause, ...more } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "ClarionError";
    this.code = code;
    for (const [name, value] of Object.entries(more)) if (value !== undefined) this[name] = value;
  }
}
