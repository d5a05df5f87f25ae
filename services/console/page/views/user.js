import { facts, h, pill, table } from "../dom.js";
import { ago, count, moment } from "../format.js";
import { addressOf } from "../router.js";
import { lookUpView } from "./look_up.js";

/**
 * @import { Context } from "../app.js"
 * @import { User } from "../wire.js"
 */

const UNREAD_MOST = 100;

/** @param {Context} context */
export function userView(context) {
  return lookUpView(context, {
    title: "User",
    about: "Whether a user is connected, and what waits for them. Each look-up is noted in the audit log.",
    label: "User: the subject of their token",
    place: "users",
    waiting: "MongoDB is asked…",
    find: (name, signal) => context.api.get(`v1/users/${encodeURIComponent(name)}`, { signal }),
    show,
  });
}

/** @param {User} user */
function show({ user, sessions, pending, unread, throttled, last_acknowledged: last, tokens_since }) {
  const now = Date.now();
  const isConnected = sessions.length > 0;
  const lanes = Object.entries(pending).map(([lane, { count: waiting, since }]) => ({
    cells: [h("span", { class: "lane", data: { lane } }, lane), count(waiting), since ? ago(since, now) : ""],
  }));
  const connections = sessions.map(({ gateway, mailbox, since }) => ({
    cells: [gateway || "an earlier gateway, which is gone", String(mailbox), ago(since, now)],
  }));
  return h(
    "div",
    { class: "stack" },
    h(
      "div",
      { class: "card" },
      h(
        "p",
        { class: "health-line" },
        pill(isConnected ? "good" : "none", isConnected ? "connected" : "not connected"),
        ` ${user}`,
      ),
      facts([
        ["Unread", unread >= UNREAD_MOST ? "99+" : count(unread)],
        ["Throttled", `${count(throttled)} in the inbox were above this user’s limit, and not pushed`],
        [
          "Last acknowledged",
          last
            ? h(
                "span",
                {},
                h("a", { href: addressOf("trace", last.id) }, last.id),
                ` in ${last.lane}, ${ago(last.at, now)}`,
              )
            : "never, of what is kept",
        ],
        ["Disconnected", tokens_since && `tokens from before ${moment(tokens_since, now)} are refused`],
      ]),
    ),
    h(
      "section",
      {},
      h("h2", {}, "Pending"),
      table(
        "Pending",
        [{ label: "Lane" }, { label: "Waiting", end: true }, { label: "The first, stored", end: true }],
        lanes,
      ),
    ),
    isConnected &&
      h(
        "section",
        {},
        h("h2", {}, "Connections"),
        table(
          "Connections",
          [{ label: "Gateway" }, { label: "Mailbox no.", end: true }, { label: "Since", end: true }],
          connections,
        ),
      ),
  );
}
