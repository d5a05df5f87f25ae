import { facts, h, pill, table, write } from "../dom.js";
import { bytes, count, counted, duration, moment, percent, rate, UNKNOWN } from "../format.js";
import { Troubles } from "./troubles.js";

/**
 * @import { Context, View } from "../app.js"
 * @import { Child, Row } from "../dom.js"
 * @import { Gateway, Lane, Overview, Process, Queue, Status } from "../wire.js"
 */

/** @type {Record<Status, { tone: string, text: string }>} */
export const HEALTH = {
  ok: { tone: "good", text: "All is well" },
  degraded: { tone: "wait", text: "Degraded" },
  failing: { tone: "bad", text: "Failing" },
};
const MEANING = {
  ok: "Every process answers and is well.",
  degraded: "Notifications are taken and delivered, but something is not as it should be:",
  failing: "Notifications are not taken, or not delivered:",
};
const LANE_NAMES = { urgent: "Urgent", high: "High", normal: "Normal", low: "Low" };

/** @param {Context} _ */
export function overviewView(_) {
  const troubles = new Troubles();
  const health = h("div", { class: "card health-card" }, h("p", {}, "The processes are asked…"));
  const lanes = h("div", {});
  const queues = h("div", {});
  const gateways = h("div", {});
  const processes = h("div", {});
  const asked = h("p", { class: "hint" });
  const element = h(
    "div",
    { class: "stack" },
    h("div", { class: "title" }, h("h1", {}, "Overview"), asked),
    health,
    section("Open troubles", troubles.element),
    section("Lanes", lanes, queues),
    section("Gateways", gateways),
    section("Processes", processes),
  );
  return /** @type {View} */ ({
    title: "Overview",
    element,
    onOverview(overview) {
      const now = Date.parse(overview.at);
      write(asked, `As of ${moment(now, now)}`);
      replace(health, healthCard(overview));
      troubles.show(overview.troubles, now);
      replace(lanes, table("Lanes", LANE_COLUMNS, overview.lanes.map(laneRow)));
      replace(queues, queueTable(overview.queues));
      replace(gateways, gatewayTable(overview.gateways));
      replace(processes, processTable(overview));
    },
  });
}

/**
 * @param {string} title
 * @param {...Node} content
 */
function section(title, ...content) {
  const id = `section-${title.toLowerCase().replaceAll(" ", "-")}`;
  return h("section", { "aria-labelledby": id }, h("h2", { id }, title), ...content);
}

/**
 * Put in new content, unless it is as before: what did not change keeps its selection.
 *
 * @param {HTMLElement} place
 * @param {...Node} content
 */
function replace(place, ...content) {
  const next = h("div", {}, ...content);
  if (!place.isEqualNode(next)) place.replaceChildren(...next.childNodes);
}

/** @param {Overview} overview */
function healthCard({ status, reasons, figures, troubles }) {
  const { tone, text } = HEALTH[status];
  const others = reasons.filter((reason) => !isFinding(reason));
  if (others.length < reasons.length) others.push(`${counted(troubles.length, "open trouble")}, see below`);
  return h(
    "div",
    {},
    h("p", { class: "health-line" }, pill(tone, text), h("span", {}, ` ${MEANING[status]}`)),
    others.length > 0 && h("ul", { class: "reasons" }, ...others.map((reason) => h("li", {}, reason))),
    facts([
      ["Connections", count(figures.connections)],
      ["Dead letters kept", link("#/dead-letters", count(figures.dead_letters))],
      ["Unaccounted", toned(count(figures.unaccounted), (figures.unaccounted ?? 0) !== 0)],
      ["Free mailboxes", count(figures.mailboxes_free)],
      ["MongoDB’s disk free", percent(figures.store_free_ratio)],
    ]),
  );
}

const LANE_COLUMNS = [
  { label: "Lane" },
  { label: "Workers", end: true },
  { label: "Accepted by HTTP / s", end: true },
  { label: "Stored / s", end: true },
  { label: "Acknowledged / s", end: true },
  { label: "Lag, records", end: true },
  { label: "Oldest waits", end: true },
  { label: "p99 (objective)", end: true },
  { label: "Pending", end: true },
];

/**
 * @param {Lane} lane
 * @returns {Row}
 */
function laneRow(lane) {
  const name = LANE_NAMES[/** @type {keyof typeof LANE_NAMES} */ (lane.lane)] ?? lane.lane;
  const isBehind = (lane.lag_seconds ?? 0) > Math.max(10, 10 * lane.objective_s);
  const isLate = (lane.delivery_p99_s ?? 0) > lane.objective_s;
  return {
    key: lane.lane,
    cells: [
      h("span", { class: "lane", data: { lane: lane.lane } }, name),
      workers(lane),
      rate(lane.accepted_per_s),
      rate(lane.stored_per_s),
      rate(lane.delivered_per_s),
      count(lane.lag_records),
      toned(duration(lane.lag_seconds), isBehind),
      toned(`${duration(lane.delivery_p99_s)} (${duration(lane.objective_s)})`, isLate),
      count(lane.pending),
    ],
  };
}

/** @param {Lane} lane */
function workers({ workers, ready }) {
  if (workers === 0) return toned("none named", true);
  return ready === workers ? count(workers) : toned(`${ready} of ${workers} ready`, true);
}

/** @param {Queue[]} queues */
function queueTable(queues) {
  if (queues.length === 0) return h("p", { class: "hint" }, "Lag is not known: no observer tells it.");
  const parts = queues.map(
    ({ name, lag_records, lag_seconds }) =>
      `${name}: ${lag_records === null ? UNKNOWN : counted(lag_records, "record")}${lag_seconds ? `, oldest waits ${duration(lag_seconds)}` : ""}`,
  );
  return h("p", { class: "hint" }, `Still to be read by other roles: ${parts.join(" · ")}`);
}

/** @param {Gateway[]} gateways */
function gatewayTable(gateways) {
  if (gateways.length === 0) return h("p", { class: "hint" }, "CLARION_PROCESSES names no gateway.");
  const columns = [
    { label: "Gateway" },
    { label: "State" },
    { label: "Connections", end: true },
    { label: "Users", end: true },
    { label: "Pushed / s", end: true },
    { label: "Catching up", end: true },
    { label: "Receipts waiting", end: true },
    { label: "Mailbox no.", end: true },
  ];
  return table(
    "Gateways",
    columns,
    gateways.map((one) => ({
      key: one.name,
      cells: [
        h("span", { title: one.address }, one.name),
        state(one),
        count(one.connections),
        count(one.users),
        rate(one.pushed_per_s),
        count(one.catching_up),
        count(one.receipts_buffered),
        one.mailbox === null ? (one.status ? toned("none", true) : UNKNOWN) : String(one.mailbox),
      ],
    })),
  );
}

/** @param {Overview} overview */
function processTable({ processes, left_out }) {
  const columns = [
    { label: "Process" },
    { label: "State" },
    { label: "CPU", end: true },
    { label: "Memory", end: true },
    { label: "Runs for", end: true },
    { label: "Why" },
  ];
  const rows = processes.map((one) => ({
    key: one.name,
    cells: [
      h("span", { title: one.address }, one.name),
      state(one),
      one.cpu_cores === null ? UNKNOWN : percent(one.cpu_cores),
      bytes(one.memory_bytes),
      duration(one.uptime_s),
      why(one),
    ],
  }));
  const more =
    left_out > 0 && h("p", { class: "hint" }, `${counted(left_out, "process", "processes")} more, all well.`);
  return h("div", {}, table("Processes", columns, rows), more);
}

/** @param {Process} process */
function why({ reasons }) {
  if (reasons.length === 0) return ""; // an empty cell is left out where the table is narrow
  return h(
    "ul",
    { class: "why" },
    ...reasons.map((reason) => h("li", {}, isFinding(reason) ? firstOf(reason) : reason)),
  );
}

/**
 * Whether a process is not well by a rule that holds: the list of troubles has its cause and cure.
 *
 * @param {string} reason
 */
function isFinding(reason) {
  return /See docs\/runbook\.md#[\w-]+\.$/.test(reason);
}

/** @param {string} text of which the first sentence says what is wrong */
function firstOf(text) {
  const end = text.indexOf(". ");
  return end < 0 ? text : text.slice(0, end);
}

/** @param {{ status: Status | "", is_ready: boolean }} one */
function state({ status, is_ready }) {
  if (status === "") return pill("bad", "No answer");
  if (!is_ready) return pill("bad", "Not ready");
  return status === "ok" ? pill("good", "Well") : pill(HEALTH[status].tone, HEALTH[status].text);
}

/**
 * @param {string} text
 * @param {boolean} isBad
 * @returns {Child}
 */
function toned(text, isBad) {
  return isBad ? h("strong", { class: "bad" }, text) : text;
}

/**
 * @param {string} address
 * @param {string} text
 */
function link(address, text) {
  return h("a", { href: address }, text);
}
