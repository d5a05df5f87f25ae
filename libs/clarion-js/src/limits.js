// Limits and times. Milliseconds unless the name says otherwise.

export const RECONNECT_MIN_MS = 500; // the first wait is drawn from 0 to this …
export const RECONNECT_MAX_MS = 30_000; // … and no wait without a server's hint from more than this
export const RETRY_HINT_MAX_MS = 300_000; // the longest `bye.retry_ms` that is believed
export const STABLE_MS = 10_000; // a connection that lived this long after `hello` forgives earlier failures

export const CONNECT_TIMEOUT_MS = 10_000; // socket, handshake and `hello`; the gateway's own handshake limit
export const REQUEST_TIMEOUT_MS = 10_000; // for one try of a request …
export const REQUEST_DEADLINE_MS = 30_000; // … and for all of them, to the inbox
export const TRY_SOCKET_MIN_MS = 10_000; // on an event stream, until a socket is tried out: half of this to all of it …
export const TRY_SOCKET_MAX_MS = 1_800_000; // … then twice as long each time, up to this
export const TOKEN_TIMEOUT_MS = 10_000; // for `getToken`
export const HANDLER_TIMEOUT_MS = 60_000; // for one notification; a promise that never settles must not stop all others
export const SILENCE_GRACE_MS = 10_000; // no frame for `ping_s` and this: the connection is dead

export const GENERATIONS = 2 ** 15; // of a topic; this and the two below as a gateway takes them
export const OFFSETS = 2 ** 48;
export const SINCE_CHARS = 40;
export const REMEMBERED_IDS = 10_000; // to drop repeats
export const QUEUED_ITEMS = 1_000; // received but not handled; the server's window (64) keeps far below
export const PENDING_MARKS = 1_000; // read, unread and archived ids that the server has not confirmed
export const WAITING_MARKS = 20; // requests with marks, on an event stream
export const EVENT_CHARS = 1_048_576; // of an event's line, on an event stream
export const IDS_PER_FRAME = 500;
export const SAVE_MS = 50; // from handling one in the middle of a batch until storage has that, at most
export const FLUSH_MS = 50; // at most one ack and one mark frame in this time: 40 of the server's 50 frames a second
