/**
 * @import { Clarion, Notification } from "./clarion.js"
 *
 * @typedef {{ item: Notification, handled: (value?: undefined) => void, failed: (reason: Error) => void }} Offered
 */

/**
 * The notifications of a Clarion one by one. Each counts as handled when the loop asks for the next one.
 *
 * @param {Clarion} clarion
 * @returns {AsyncGenerator<Notification, void, void>}
 */
export async function* iterate(clarion) {
  let offered = /** @type {Offered | null} */ (null);
  let wake = () => {};
  /** @param {Notification} item */
  const offer = (item) =>
    new Promise((handled, failed) => {
      offered = { item, handled, failed };
      wake();
    });
  const offs = [clarion.on("notification", offer), clarion.on("state", () => wake())];
  try {
    while (clarion.state.name !== "closed") {
      if (offered === null) await new Promise((resolve) => (wake = () => resolve(undefined)));
      else {
        const current = offered;
        yield current.item;
        current.handled();
        // it is another one when this one took too long
        if (offered === current) offered = null;
      }
    }
  } finally {
    for (const off of offs) off();
    offered?.failed(new Error("the loop ended before it asked for the next notification"));
  }
}
