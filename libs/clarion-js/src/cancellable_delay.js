/** A wait that can be cut short; one at a time. */
export class CancellableDelay {
  #cancel = () => {};

  /**
   * @param {number} ms
   * @returns {Promise<void>}
   */
  for(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#cancel = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  cancel() {
    this.#cancel();
  }
}
