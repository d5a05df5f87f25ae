export type Lane = "urgent" | "high" | "normal" | "low";

export interface Notification {
  readonly id: string;
  readonly type: string;
  readonly message: string;
  readonly sender: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** When it was published: RFC 3339, UTC, as every moment here. */
  readonly created_at: string;
  /**
   * When its user could have it first, which is the moment to show, and what the inbox is ordered by. Of what was
   * scheduled it is when that was due, later than `created_at`. Absent in what an earlier version stored: then it is
   * `created_at`.
   */
  readonly available_at?: string | null;
  readonly expires_at?: string | null;
  readonly lane: Lane;
  /** Its place in the lane: topic generation and offset. */
  readonly ord?: readonly [generation: number, offset: number];
  /** Pushed before it could be stored; it has no place yet, and order is not promised for it. */
  readonly unstored?: boolean;
}

/** A notification as its user's inbox has it. */
export interface InboxItem extends Notification {
  readonly unread: boolean;
}

export interface InboxPage {
  /** Newest first. */
  readonly items: readonly InboxItem[];
  /** The cursor of the page after this one; null on the last. */
  readonly next: string | null;
}

export interface InboxQuery {
  /** `next` of the page before. Default: start at the newest. */
  cursor?: string;
  /** At most 200. Default: 50. */
  limit?: number;
  /** Only what is unread. */
  unread?: boolean;
  /** The archive instead; what is there is never unread. */
  archived?: boolean;
}

export type State =
  | { readonly name: "connecting" }
  /** Live. `degraded`: the server works without its store. `transport`: what carries it. */
  | {
      readonly name: "open";
      readonly resumed: boolean;
      readonly degraded: boolean;
      readonly transport: "websocket" | "stream";
    }
  /**
   * Between two tries; the next one is `retryMs` after this state began. `code` is the last connection's close code,
   * 1006 for the network and whatever a proxy answers.
   */
  | { readonly name: "waiting"; readonly retryMs: number; readonly code: number; readonly reason?: string }
  /**
   * For good: nothing more is sent or fetched, and only a new Clarion starts again. 1000: `close()` was called. 4401:
   * the token was refused, and so was one fetched right after it, if `getToken` could. 4403: this user or this page's
   * origin may not. Any other code: the two sides do not understand each other. Everything that may pass is `waiting`
   * instead.
   */
  | { readonly name: "closed"; readonly code: number; readonly reason: string };

export type Change =
  | "delivered"
  | "read"
  | "unread"
  | "archived"
  | "unarchived"
  | "retracted"
  /** Whether it was delivered before or not. */
  | "expired"
  | "collapsed"
  | "throttled";

/** Another device, or this one, changed something. `delivered` may have no ids: only the count is news. */
export interface Sync {
  readonly change: Change;
  readonly ids: readonly string[];
  readonly unread: number;
}

export type ErrorCode = "handler" | "token" | "protocol" | "server" | "storage" | "overflow" | "http" | "listener";

/** What is wrong with a request to the inbox, as the server names it. */
export interface FieldError {
  readonly pointer: string;
  readonly code: string;
  readonly detail: string;
  readonly limit?: number | string;
}

export class ClarionError extends Error {
  readonly code: ErrorCode;
  /** With code `handler`: what was not handled. */
  readonly item?: Notification;
  /** With code `http`: what the server answered; none when it could not be reached. */
  readonly status?: number;
  readonly errors?: readonly FieldError[];
  constructor(
    code: ErrorCode,
    message: string,
    options?: { cause?: unknown; item?: Notification; status?: number; errors?: readonly FieldError[] },
  );
}

export interface Events {
  /**
   * One at a time, in order. It is acknowledged after the promises of all its listeners have settled well. When one
   * rejects (or takes longer than `handlerTimeoutMs`), the SDK reports an `error`, reconnects with backoff and gets it
   * again: listeners may see a notification twice, never zero times. With `ackOnError` it counts as handled instead.
   * While there is no listener, notifications wait.
   */
  notification: (notification: Notification) => unknown;
  state: (state: State) => void;
  /** The server's count, up to 100 (show "99+"). Do not count by yourself. */
  unread: (count: number) => void;
  sync: (sync: Sync) => void;
  /** More changed than could be told: read the inbox again. */
  resync: () => void;
  /** Without a listener, errors go to console.error. None of them ends the connection for good. */
  error: (error: ClarionError) => void;
}

/** localStorage, or what is like it. */
export interface ProgressStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

interface CommonOptions {
  /**
   * Of the gateway: ws(s) or http(s), absolute or relative to the page. A path that does not end in `/ws` is the prefix
   * below which a proxy has the gateway, such as in `https://app.example/notify`.
   */
  url: string | URL;
  /** Count a notification as handled although its listener failed. Default: false. */
  ackOnError?: boolean;
  /** Default: 60,000. */
  handlerTimeoutMs?: number;
  /**
   * Where no WebSocket gets through, as behind some proxies: the same over Server-Sent Events and POST, with nothing
   * else to do for the application, and back as soon as a socket gets through. Default: true.
   */
  fallback?: boolean;
  /** For runtimes without one, and for tests. */
  WebSocket?: new (
    url: string,
    protocols: string[],
  ) => WebSocket;
  fetch?: typeof globalThis.fetch;
  /** For tests: uniform in [0, 1). */
  random?: () => number;
}

type TokenOptions =
  /** A fixed token cannot be refreshed: its end is the end. */
  | { token: string; getToken?: undefined }
  /**
   * Asked before every try, 10 s at most, and not again while it is being asked. `refresh`: the last token was refused,
   * get a new one; once, however many requests it was refused to.
   */
  | { token?: undefined; getToken: (request: { refresh: boolean }) => string | Promise<string> };

type StorageOptions =
  | { storage?: undefined; user?: string }
  /**
   * Keeps how far everything is handled, within 50 ms, under a key of the user's own, beyond the life of the page. It
   * belongs to the user and the deployment that the server told: of others it counts for nothing. That, and that it was
   * damaged and is mended, is told by one `error` of code `storage`, and costs no more than that some of it comes
   * again.
   */
  | { storage: ProgressStorage; user: string };

export type Options = CommonOptions & TokenOptions & StorageOptions;

/** A user's notifications, live or later. Connects at once; stays connected until `close()` or a final refusal. */
export class Clarion implements AsyncIterable<Notification> {
  constructor(options: Options);
  readonly state: State;
  /** null until the server told it. */
  readonly unreadCount: number | null;
  /** Returns the function that takes the listener off. */
  on<E extends keyof Events>(event: E, listener: Events[E]): () => void;
  /**
   * Marks are kept until the server confirms them by `sync`, and are sent again after a reconnect till then.
   * Throws RangeError when more than 1,000 would wait to be sent, TypeError for what is no id; then it marks none.
   */
  read(ids: string | Iterable<string>): void;
  unread(ids: string | Iterable<string>): void;
  archive(ids: string | Iterable<string>): void;
  /**
   * A page of what is kept for the user, over HTTP: to show history, and again whenever `resync` comes.
   *
   * This and the two calls below work in any state but `closed`. They try for 30 s while the server has no verdict,
   * then reject with a ClarionError of code `http` (or `token`); to do them again is harmless.
   */
  inbox(query?: InboxQuery): Promise<InboxPage>;
  /** Take back from the archive, as read. Resolves with the new count. */
  unarchive(ids: string | Iterable<string>): Promise<number>;
  /** Mark everything as read, however much. Resolves with the new count: what came meanwhile is unread. */
  readAll(): Promise<number>;
  /** Do not wait for the next try. */
  retryNow(): void;
  close(): void;
  /** A notification counts as handled when the loop asks for the next one. */
  [Symbol.asyncIterator](): AsyncGenerator<Notification, void, void>;
}
