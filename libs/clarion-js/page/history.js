import { SHOWN_ROWS } from "./feed.js";

/**
 * What is kept for the user, read from the inbox into the feed: at first, after every break, and whenever more changed
 * than could be told. One reading at a time; what was asked for meanwhile is one more.
 */
export class History {
  #feed;
  #read;
  #onError;
  #isReading = false;
  #again = false;

  /** `read(query)` resolves with a page of the inbox. */
  constructor({ feed, read, onError }) {
    this.#feed = feed;
    this.#read = read;
    this.#onError = onError;
  }

  async refresh() {
    this.#again = true;
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      while (this.#again) {
        this.#again = false;
        const reading = this.#feed.startReading();
        const { items, next } = await this.#read({ limit: SHOWN_ROWS });
        this.#feed.reconcile(reading, items, next === null);
      }
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#isReading = false;
    }
  }
}
