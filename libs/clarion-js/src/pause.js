/** A wait that can be cut short; one at a time. */
export class Pause {
  #cut = () => {};

  for(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#cut = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  cut() {
    this.#cut();
  }
}
