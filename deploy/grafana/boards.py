"""Builds Grafana's dashboards of plain data by the SDK of Grafana Foundation, pinned to Grafana 11.6."""

from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from deploy.grafana.charts import Board, Chart, Query

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
NO_DATA: Final = "no data"  # a series that is not there is not 0
_TAG: Final = "clarion"
_HEIGHT: Final = 8
_OURS: Final = "clarion_logs_dropped_total"  # every process of Clarion has it, and no other


def encoded(board: Board, runbook: str) -> str:
    """Return the dashboard as the JSON that Grafana imports, with a link to the runbook."""
    return JSONEncoder(sort_keys=True, indent=2).encode(built(board, runbook).build()) + "\n"


def built(board: Board, runbook: str) -> dashboard.Dashboard:
    """Return the builder of a dashboard: its variables, its links, and its rows with their panels."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.says)
        .tags([_TAG])
        .editable()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("30s")
        .timezone("browser")
        .link(
            dashboard.DashboardLink("Clarion")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([_TAG])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
        .link(dashboard.DashboardLink("Runbook").type(DashboardLinkType.LINK).url(runbook))
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_labels("job", "Job", f"label_values({_OURS}, job)"))
        .with_variable(_labels("instance", "Instance", f'label_values({_OURS}{{job=~"$job"}}, instance)'))
        .with_variable(dashboard.AdHocVariable("filters").label("Filters").datasource(SOURCE))
    )
    for row in board.rows:
        made = made.with_row(dashboard.Row(row.title))
        for chart in row.charts:
            made = made.with_panel(_number(chart) if chart.kind == "number" else _lines(chart))
    return made


def _labels(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .query(query)
        .datasource(SOURCE)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )


def _target(query: Query, letter: str, *, instant: bool) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(letter)
    return made.instant() if instant else made.range()


def _lines(chart: Chart) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(chart.title)
        .description(chart.says)
        .datasource(SOURCE)
        .unit(chart.unit)
        .no_value(NO_DATA)
        .span(chart.width)
        .height(_HEIGHT)
        .min(0)
        .line_width(1)
        .fill_opacity(30 if chart.kind == "stacked" else 5)
        .span_nulls(False)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    if chart.kind == "stacked":
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if chart.limit is not None:
        panel = panel.thresholds(_thresholds(chart.limit)).thresholds_style(
            common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        )
    for letter, query in zip("ABCDEF", chart.queries, strict=False):
        panel = panel.with_target(_target(query, letter, instant=False))
    return panel


def _number(chart: Chart) -> stat.Panel:
    panel = (
        stat.Panel()
        .title(chart.title)
        .description(chart.says)
        .datasource(SOURCE)
        .unit(chart.unit)
        .no_value(NO_DATA)
        .span(chart.width)
        .height(4)
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(chart.limit))
    )
    for letter, query in zip("ABCDEF", chart.queries, strict=False):
        panel = panel.with_target(_target(query, letter, instant=True))
    return panel


def _thresholds(limit: float | None) -> dashboard.ThresholdsConfig:
    steps = [Threshold(value=None, color="green")]
    if limit is not None:
        steps.append(Threshold(value=limit, color="red"))
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
