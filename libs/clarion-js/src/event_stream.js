import { EventParser } from "./event_parser.js";
import { CLOSE_NETWORK, CLOSE_TRY_AGAIN } from "./reconnect.js";
import { beside, retryAfterMs } from "./request.js";
import { Speaker } from "./speaker.js";

const MEDIA_TYPE = "text/event-stream";

/**
 * The carrier for where no socket gets through: the same frames as events of one answer without an end, read by fetch,
 * since an EventSource sends no header. What there is to say goes by POST.
 */
export function openEventStream({ fetch, url, token, onError, random }, { resume, onText, onClose }) {
  const controller = new AbortController();
  const speaker = new Speaker({ fetch, url, token, random, onFailed: onClose, onError });
  const asked = `${beside(url, "stream")}?${new URLSearchParams({ resume: JSON.stringify(resume()) })}`;
  listen(fetch, asked, token, controller.signal, onText).then(onClose, (error) =>
    onClose({ code: CLOSE_NETWORK, reason: String(error?.message ?? error) }),
  );
  return {
    send: (frame, session) => speaker.say(frame, session),
    close(how) {
      speaker.close(how);
      controller.abort();
    },
  };
}

/** Resolves with how it ended. */
async function listen(fetch, url, token, signal, onText) {
  const headers = { authorization: `Bearer ${token}`, accept: MEDIA_TYPE };
  const answer = await fetch(url, { headers, signal, credentials: "omit", cache: "no-store" });
  if (!answer.ok || !answer.headers.get("content-type")?.startsWith(MEDIA_TYPE)) return refusal(answer);
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

function closeOf(data) {
  const { code, reason } = JSON.parse(data);
  return { code, reason };
}

function refusal(answer) {
  answer.body?.cancel().catch(() => {});
  const reason = `the stream was refused: ${answer.status}`;
  const isBusy = answer.status === 429 || answer.status === 503;
  return isBusy ? { code: CLOSE_TRY_AGAIN, reason, retryMs: retryAfterMs(answer) } : { code: CLOSE_NETWORK, reason };
}
