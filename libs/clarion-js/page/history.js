import { SHOWN_ROWS } from "./list.js";

/**
 * @import { InboxPage, InboxQuery } from "/sdk/clarion.js"
 * @import { NotificationList } from "./list.js"
 */

/**
 * What is kept for the user, read from the inbox into the list: at first, after every break, and whenever more changed
 * than could be told. One reading at a time; what was asked for meanwhile is one more.
 */
export class History {
  #list;
  #read;
  #onError;
  #isReading = false;
  #again = false;

  /**
   * @param {object} options
   * @param {NotificationList} options.list
   * @param {(query: InboxQuery) => Promise<InboxPage>} options.read a page of the inbox
   * @param {(error: any) => void} options.onError
   */
  constructor({ list, read, onError }) {
    this.#list = list;
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
        const reading = this.#list.startReading();
        const { items, next } = await this.#read({ limit: SHOWN_ROWS });
        this.#list.reconcile(reading, items, next === null);
      }
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#isReading = false;
    }
  }
}
