import { messageOf } from "./errors.js";
import { EventParser } from "./event_parser.js";
import { CLOSE_FORBIDDEN, CLOSE_NETWORK, CLOSE_TOKEN, CLOSE_TRY_AGAIN } from "./reconnect.js";
import { ledAway, retryAfterMs } from "./request.js";
import { SseUplink } from "./sse_uplink.js";
import { beside } from "./urls.js";

/**
 * @import { Transport, TransportEvents } from "./connection.js"
 * @import { ConnectionEnd } from "./reconnect.js"
 * @import { Fetch } from "./request.js"
 * @import { TransportOptions } from "./transport_selector.js"
 */

const MEDIA_TYPE = "text/event-stream";

/**
 * The transport for where no socket gets through: the same frames as events of one answer without an end, read by
 * fetch, since an EventSource sends no header. What there is to say goes by POST.
 *
 * @param {TransportOptions} options
 * @param {TransportEvents} events
 * @returns {Transport}
 */
export function openEventStream({ fetch, url, token, onError, random }, { resume, onText, onClose }) {
  const controller = new AbortController();
  const uplink = new SseUplink({ fetch, url, token, random, onFailed: onClose, onError });
  const asked = `${beside(url, "stream")}?${new URLSearchParams({ resume: JSON.stringify(resume()) })}`;
  listen(fetch, asked, token, controller.signal, onText).then(onClose, (error) =>
    onClose({ code: CLOSE_NETWORK, reason: messageOf(error) }),
  );
  return {
    send: (frame, session) => uplink.say(frame, session),
    close(how) {
      uplink.close(how);
      controller.abort();
    },
  };
}

/**
 * Resolves with how it ended.
 *
 * @param {Fetch} fetch
 * @param {string} url
 * @param {string} token
 * @param {AbortSignal} signal
 * @param {(text: string) => void} onText
 * @returns {Promise<ConnectionEnd>}
 */
async function listen(fetch, url, token, signal, onText) {
  const headers = { authorization: `Bearer ${token}`, accept: MEDIA_TYPE };
  const answer = await fetch(url, { headers, signal, credentials: "omit", cache: "no-store" });
  const away = ledAway(answer, url);
  if (away) return discarded(answer, { code: CLOSE_NETWORK, reason: away });
  if (!answer.ok || !answer.body || !answer.headers.get("content-type")?.startsWith(MEDIA_TYPE)) return refusal(answer);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return { code: CLOSE_NETWORK, reason: "the stream ended" };
    for (const { name, data } of parser.feed(value)) {
      if (name === "close") return closeOf(data);
      if (name === "message") onText(data);
    }
  }
}

/**
 * @param {string} data
 * @returns {ConnectionEnd}
 */
function closeOf(data) {
  const { code, reason } = JSON.parse(data);
  return { code, reason };
}

/**
 * The gateway's own are 403, 429 and 503; all the rest is said by what stands before it, and passes.
 *
 * @type {Record<number, number>}
 */
const MEANS = { 401: CLOSE_TOKEN, 403: CLOSE_FORBIDDEN, 429: CLOSE_TRY_AGAIN, 503: CLOSE_TRY_AGAIN };

/**
 * A refusal before the first event, as the close code that means the same.
 *
 * @param {Response} answer
 * @returns {ConnectionEnd}
 */
export function refusal(answer) {
  const code = MEANS[answer.status] ?? CLOSE_NETWORK;
  const end = { code, reason: `the stream was refused: ${answer.status}` };
  return discarded(answer, code === CLOSE_TRY_AGAIN ? { ...end, retryMs: retryAfterMs(answer) } : end);
}

/**
 * @param {Response} answer
 * @param {ConnectionEnd} end
 */
function discarded(answer, end) {
  answer.body?.cancel().catch(() => {});
  return end;
}
