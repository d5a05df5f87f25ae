/** @import { ErrorCode, FieldError, Notification } from "./clarion.js" */

/** `code`: handler, token, protocol, server, storage, overflow, http or listener. No message ever holds a token. */
export class ClarionError extends Error {
  /**
   * @param {ErrorCode} code
   * @param {string} message
   * @param {{ cause?: unknown, item?: Notification, status?: number, errors?: readonly FieldError[] }} [options]
   */
  constructor(code, message, { cause, item, status, errors } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "ClarionError";
    /** @readonly */
    this.code = code;
    // what there is not is no property either: it would only clutter the console
    if (item !== undefined) {
      /** @readonly @type {Notification | undefined} */
      this.item = item;
    }
    if (status !== undefined) {
      /** @readonly @type {number | undefined} */
      this.status = status;
    }
    if (errors !== undefined) {
      /** @readonly @type {readonly FieldError[] | undefined} */
      this.errors = errors;
    }
  }
}

/**
 * What went wrong, in words, whatever was thrown.
 *
 * @param {any} cause
 */
export function messageOf(cause) {
  return String(cause?.message ?? cause);
}
