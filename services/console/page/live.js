import { backoff } from "../sdk/backoff.js";
import { EventParser } from "../sdk/event_parser.js";

import { messageOf, refusalOf } from "./api.js";

/**
 * @import { Api } from "./api.js"
 * @import { Overview } from "./wire.js"
 *
 * @typedef {"connecting" | "live" | "waiting"} LiveState
 */

const SILENCE_MS = 40_000; // the console says something each 15 s at least

/**
 * The overview, again and again, by an event stream that is read by fetch: an EventSource sends no header, and a token
 * must not stand in an address. It connects again by itself, with backoff, until `stop`.
 */
export class Live {
  #api;
  #onOverview;
  #onState;
  #controller = new AbortController();

  /**
   * @param {Api} api
   * @param {{ onOverview: (overview: Overview) => void, onState: (state: LiveState, why: string) => void }} events
   */
  constructor(api, { onOverview, onState }) {
    this.#api = api;
    this.#onOverview = onOverview;
    this.#onState = onState;
    this.#run();
  }

  stop() {
    this.#controller.abort();
  }

  async #run() {
    const { signal } = this.#controller;
    let failures = 0;
    while (!signal.aborted) {
      this.#onState("connecting", "");
      let why = "the stream ended";
      try {
        await this.#listen(() => {
          failures = 0;
        });
      } catch (error) {
        why = messageOf(error);
      }
      if (signal.aborted) return;
      this.#onState("waiting", why);
      await pause(1000 + backoff(failures), signal);
      failures += 1;
    }
  }

  /** @param {() => void} onFirst */
  async #listen(onFirst) {
    const quiet = new AbortController();
    let timer = setTimeout(() => quiet.abort(), SILENCE_MS);
    try {
      const answer = await fetch("v1/stream", {
        headers: { ...this.#api.headers, accept: "text/event-stream" },
        cache: "no-store",
        credentials: "omit",
        signal: AbortSignal.any([this.#controller.signal, quiet.signal]),
      });
      if (!answer.ok || !answer.body) {
        const refusal = await refusalOf(answer);
        const isRefused = answer.status === 401 || answer.status === 403;
        if (isRefused && !this.#controller.signal.aborted) this.#api.refused(refusal.message);
        throw refusal;
      }
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      const parser = new EventParser();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => quiet.abort(), SILENCE_MS);
        for (const { name, data } of parser.feed(value)) {
          if (name === "close") return this.#closed(JSON.parse(data));
          onFirst();
          this.#onState("live", "");
          this.#onOverview(JSON.parse(data));
        }
      }
    } finally {
      clearTimeout(timer);
      quiet.abort(); // so that an answer that was not read to its end is given up
    }
  }

  /** @param {{ code: number, reason: string }} close */
  #closed({ code, reason }) {
    if (code === 4401) this.#api.refused(reason);
    throw new Error(reason);
  }
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
