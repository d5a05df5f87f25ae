const isText = (value) => typeof value === "string";
const isItem = (item) => isText(item?.id) && isText(item.lane) && (item.unstored === true || Array.isArray(item.ord));

// What a frame of a known kind must have to be of use.
const MUST_HAVE = {
  hello: ({ session, ping_s }) => isText(session) && Number.isFinite(ping_s),
  batch: ({ tag, items }) => Number.isSafeInteger(tag) && Array.isArray(items) && items.every(isItem),
  sync: ({ change, ids }) => isText(change) && Array.isArray(ids) && ids.every(isText),
  bye: ({ retry_ms }) => Number.isFinite(retry_ms),
};

/** A frame of the server, also of a kind that a later version may know; null when it cannot be read. */
export function readFrame(text) {
  try {
    const frame = JSON.parse(text);
    const isReadable = isText(frame.op) && (!Object.hasOwn(MUST_HAVE, frame.op) || MUST_HAVE[frame.op](frame));
    return isReadable ? frame : null;
  } catch {
    return null; // no text, no JSON, or nothing that has fields
  }
}
