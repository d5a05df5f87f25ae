import { messageOf } from "../api.js";
import { h, notice } from "../dom.js";
import { Chart } from "./chart.js";

/**
 * @import { Context, View } from "../app.js"
 * @import { Charts, Overview } from "../wire.js"
 */

const HOUR_S = 3600;

/** @param {Context} context */
export function chartsView({ api }) {
  const controller = new AbortController();
  const grid = h("div", { class: "charts" }, h("p", { class: "hint" }, "The last hour is fetched…"));
  /** @type {Charts | null} */
  let known = null;
  /** @type {Chart[]} */
  let charts = [];
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function draw() {
    if (!known) return;
    for (const chart of charts) chart.stop();
    const names = [...new Set(known.series.map(({ chart }) => chart))];
    const all = known;
    charts = names.map((name) => new Chart(name, all));
    grid.replaceChildren(...charts.map(({ element }) => element));
    for (const chart of charts) chart.draw();
  }

  async function load() {
    try {
      known = await api.get("v1/charts", { signal: controller.signal });
      draw();
    } catch (error) {
      if (!controller.signal.aborted) grid.replaceChildren(notice(messageOf(error)));
    }
  }

  /** @param {Overview} overview */
  function onOverview({ point }) {
    const points = known?.points;
    if (!known || !points) return;
    const last = points.at(-1);
    if (last && point.at > last.at + 3 * known.every_s) return load(); // some were missed
    if (last?.at === point.at) points.pop();
    points.push(point);
    while (points[0].at < point.at - HOUR_S) points.shift();
    for (const chart of charts) chart.update(known);
  }

  dark.addEventListener("change", draw); // a canvas does not follow the colour scheme by itself
  load();
  return /** @type {View} */ ({
    title: "Charts",
    element: h(
      "div",
      { class: "stack" },
      h(
        "div",
        { class: "title" },
        h("h1", {}, "The last hour"),
        h(
          "p",
          { class: "hint" },
          "As this console has seen it since it was started. Point at a chart for a moment’s values.",
        ),
      ),
      grid,
    ),
    onOverview,
    stop() {
      controller.abort();
      dark.removeEventListener("change", draw);
      for (const chart of charts) chart.stop();
    },
  });
}
