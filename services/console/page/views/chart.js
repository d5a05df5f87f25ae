import { h, write } from "../dom.js";
import { count, duration, hourAndMinute, moment, rate } from "../format.js";
import uPlot from "../vendor/uPlot.esm.js";

/** @import { Charts, Series } from "../wire.js" */

const HEIGHT = 180;
const SPAN_S = 600; // that a chart shows at least, as after a start of the console
const HOUR_S = 3600;
const WHOLE = [1, 2, 5].flatMap((step) => [0, 1, 2, 3, 4, 5, 6].map((power) => step * 10 ** power));
const WRITE = { "per second": rate, seconds: duration, number: count };
/** So that lines are told apart without colours as well. */
const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3]];

/** One chart with a line for each lane, and a table of its values below: now, or where the pointer is, and the highest. */
export class Chart {
  #name;
  #series;
  #indexes;
  #data;
  #plot = h("div", { class: "plot", role: "img" });
  /** @type {uPlot | null} */
  #uplot = null;
  #at = h("th", { scope: "col", class: "end" }, "Now");
  /** @type {{ now: HTMLElement, highest: HTMLElement }[]} */
  #cells = [];
  #resized = new ResizeObserver(() => this.#uplot?.setSize({ width: this.#plot.clientWidth, height: HEIGHT }));
  element;

  /**
   * @param {string} name
   * @param {Charts} charts
   */
  constructor(name, charts) {
    this.#name = name;
    this.#indexes = charts.series.flatMap((series, index) => (series.chart === name ? [index] : []));
    this.#series = this.#indexes.map((index) => charts.series[index]);
    this.#data = this.#dataOf(charts);
    const rows = this.#series.map((series, index) => this.#row(series, index));
    this.element = h(
      "section",
      { class: "card chart" },
      h("h2", {}, `${name}${this.#series[0].unit === "per second" ? ", a second" : ""}`),
      this.#plot,
      h(
        "table",
        { class: "values" },
        h("caption", { class: "unseen" }, `Values of ${name}`),
        h("thead", {}, h("tr", {}, h("td"), this.#at, h("th", { scope: "col", class: "end" }, "Highest"))),
        h("tbody", {}, ...rows),
      ),
    );
  }

  /** Draw it, once it is on the page. */
  draw() {
    const style = getComputedStyle(this.element);
    /** @param {string} name */
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const format = WRITE[this.#series[0].unit];
    const isWhole = this.#series[0].unit === "number";
    this.#uplot = new uPlot(
      {
        width: this.#plot.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { sync: { key: "console" }, y: false, points: { size: 6 } },
        padding: [10, 26, 0, 0],
        scales: {
          x: { range: (_, first, last) => [Math.max(last - HOUR_S, Math.min(first, last - SPAN_S)), last] },
          y: { range: (_, __, highest) => [0, Math.max(highest * 1.1, this.#least())] },
        },
        axes: [
          { ...axis, size: 30, space: 70, values: (_, times) => times.map((at) => hourAndMinute(at * 1000)) },
          {
            ...axis,
            size: 58,
            space: 36,
            incrs: isWhole ? WHOLE : undefined,
            values: (_, values) => values.map((value) => format(value)),
          },
        ],
        series: [
          {},
          ...this.#series.map((series, index) => ({
            label: series.label,
            stroke: colour(`--${series.label}`) || colour("--accent"),
            width: 1.75,
            dash: DASHES[index % DASHES.length],
            points: { show: false },
          })),
        ],
        hooks: { setCursor: [({ cursor }) => this.#write(cursor.idx ?? null)] },
      },
      this.#data,
      this.#plot,
    );
    this.#resized.observe(this.#plot);
    this.#write(null);
  }

  /** @param {Charts} charts */
  update(charts) {
    this.#data = this.#dataOf(charts);
    this.#uplot?.setData(this.#data);
    this.#write(this.#uplot?.cursor.idx ?? null);
  }

  stop() {
    this.#resized.disconnect();
    this.#uplot?.destroy();
    this.#uplot = null;
  }

  /**
   * @param {Charts} charts
   * @returns {uPlot.AlignedData}
   */
  #dataOf({ points }) {
    return [points.map(({ at }) => at), ...this.#indexes.map((index) => points.map(({ values }) => values[index]))];
  }

  /** The axis ends here at least, so that a quiet hour is no mountain. */
  #least() {
    return this.#series[0].unit === "seconds" ? 0.1 : 1;
  }

  /**
   * @param {Series} series
   * @param {number} index
   */
  #row(series, index) {
    const now = h("td", { class: "end" });
    const highest = h("td", { class: "end" });
    this.#cells.push({ now, highest });
    const swatch = h("span", {
      class: "swatch",
      "aria-hidden": "true",
      data: { lane: series.label, dash: String(index) },
    });
    return h("tr", {}, h("th", { scope: "row" }, swatch, series.label), now, highest);
  }

  /** @param {number | null} index of the moment to show; null for the newest */
  #write(index) {
    const [times, ...lines] = this.#data;
    const at = index ?? times.length - 1;
    const format = WRITE[this.#series[0].unit];
    write(this.#at, index === null ? "Now" : moment(times[at] * 1000, Date.now()));
    const texts = lines.map((line, n) => {
      const values = /** @type {(number | null)[]} */ (line);
      const there = values.filter((value) => value !== null && value !== undefined);
      write(this.#cells[n].now, format(values[at]));
      write(this.#cells[n].highest, format(there.length > 0 ? Math.max(.../** @type {number[]} */ (there)) : null));
      return `${this.#series[n].label} ${format(values[times.length - 1])}`;
    });
    this.#plot.setAttribute("aria-label", `${this.#name} over the last hour. Now: ${texts.join(", ")}.`);
  }
}
