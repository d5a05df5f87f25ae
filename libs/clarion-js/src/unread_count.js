/** A user's unread count, as the server tells it in frames, or over HTTP when a frame could not tell it. */
export class UnreadCount {
  #ask;
  #onChange;
  #onError;
  /** @type {number | null} */
  #value = null;
  #timesTold = 0;

  /**
   * `ask()` resolves with the count, over HTTP. `onChange(count)` comes when it is another; `onError`: it was not told.
   *
   * @param {object} options
   * @param {() => Promise<number>} options.ask
   * @param {(count: number) => void} options.onChange
   * @param {(error: any) => void} options.onError
   */
  constructor({ ask, onChange, onError }) {
    this.#ask = ask;
    this.#onChange = onChange;
    this.#onError = onError;
  }

  /** null until the server told one. */
  get value() {
    return this.#value;
  }

  /**
   * Take the count of a frame. null, from a server whose store did not answer, leaves the value.
   *
   * @param {number | null} count
   */
  told(count) {
    this.#timesTold++;
    this.#set(count);
  }

  /**
   * A count was not told. What is told while this one is asked for is at least as good: each change is told after it.
   */
  async askAnew() {
    const before = ++this.#timesTold;
    try {
      const count = await this.#ask();
      if (before === this.#timesTold) this.#set(count);
    } catch (error) {
      this.#onError(error);
    }
  }

  /** @param {number | null} count */
  #set(count) {
    if (typeof count !== "number" || count === this.#value) return;
    this.#value = count;
    this.#onChange(count);
  }
}
