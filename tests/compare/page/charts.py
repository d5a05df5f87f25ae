"""The charts of a comparison, as SVG that reads well on a light and on a dark page."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pygal
from pygal.style import Style

from clarion.contracts.lanes import LANES
from tests.compare.figures import BEFORE, CLARION, CPU, DATABASE, NETWORK, PEAK, SOCKETIO, Figures
from tests.compare.page.recorded import Recorded
from tests.compare.verdict import means

# For its plugins, of which there are none here, pygal has every later import of anything ask a finder of a kind that
# Python warns of, and pytest takes a warning for a failure.
sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]

COLOURS: Final = {CLARION: "#009e73", BEFORE: "#d55e00", SOCKETIO: "#3a8fd0"}  # told apart by the colour-blind, too
_TEXT: Final = "#808890"  # of a contrast of at least 3.5 on white and on black
SHARES: Final = {"bytes to clients": NETWORK, "CPU": CPU, "MongoDB's time": DATABASE, "memory, peak": PEAK}
WIDTH: Final = 760
_HEIGHT: Final = 380
_GUIDES: Final = "#80889050"
_TICKS: Final = (0.01, 0.1, 1, 10, 100, 1000)  # per cent, on the logarithmic axis of shares, which begins at the first
# pygal says when it made a chart, by which each day's would differ, and leaves settings for a script that is not there
_NEEDLESS: Final = re.compile(r"<!--.*?-->|<script\b.*?</script>|<script\b[^>]*/>", re.DOTALL)


def write(recorded: Recorded, folder: Path) -> None:
    """Write all charts into a folder, as compare-<name>.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, chart in rendered(recorded).items():
        (folder / f"compare-{name}.svg").write_text(chart)


def rendered(recorded: Recorded) -> Mapping[str, str]:
    """Return the charts' SVG by name: of one report always the same."""
    found = means(recorded.rounds)
    made = {"latency": latency(found), "memory": memory(recorded)}
    made |= {"shares": shares(found)} if BEFORE in found else {}
    return {name: _NEEDLESS.sub("", chart.render(is_unicode=True)) + "\n" for name, chart in made.items()}


def _style(arms: list[str]) -> Style:
    return Style(
        background="transparent",
        plot_background="transparent",
        foreground=_TEXT,
        foreground_strong=_TEXT,
        foreground_subtle=_TEXT,
        guide_stroke_color=_GUIDES,
        major_guide_stroke_color=_GUIDES,
        value_colors=(_TEXT,) * len(arms),
        colors=tuple(COLOURS[arm] for arm in arms),
        font_family="system-ui, sans-serif",
        opacity=".9",
        title_font_size=16,
        legend_font_size=13,
        label_font_size=12,
        major_label_font_size=12,
        value_font_size=12,
    )


def _usual(arms: list[str]) -> dict[str, Any]:
    return {
        "style": _style(arms),
        "width": WIDTH,
        "height": _HEIGHT,
        "js": (),  # a page shows it as an image, where no script runs
        "legend_at_bottom": True,
        "legend_at_bottom_columns": 3,
        "print_values": True,
        "print_values_position": "top",
        "truncate_legend": -1,
        "truncate_label": -1,
        "no_prefix": True,  # else each rendering has other identifiers
    }


def shares(found: Mapping[str, Figures]) -> Any:
    """Return what each system uses in per cent of what the replaced one does; the axis is logarithmic."""
    arms = [arm for arm in COLOURS if arm in found]
    shown = {
        arm: [max(found[arm][one.name] / found[BEFORE][one.name] * 100, _TICKS[0]) for one in SHARES.values()]
        for arm in arms
    }
    chart = pygal.Bar(
        **_usual(arms),
        title="In per cent of the replaced system (logarithmic; less is better)",
        logarithmic=True,
        range=(_TICKS[0], max(_TICKS[-1], *(value for of in shown.values() for value in of))),
        zero=_TICKS[0],
        y_labels=_TICKS,
        value_formatter=_per_cent,
    )
    chart.x_labels = list(SHARES)
    for arm in arms:
        chart.add(arm, shown[arm])
    return chart


def latency(found: Mapping[str, Figures]) -> Any:
    """Return how long 99 of 100 notifications take from publishing to the user's application."""
    arms = [arm for arm in COLOURS if arm in found]
    chart = pygal.Bar(
        **_usual(arms),
        title="From publishing to the user's application, p99 in ms",
        value_formatter=_whole,
    )
    chart.x_labels = list(LANES)
    for arm in arms:
        chart.add(arm, [found[arm][f"publish to user, {lane}, p99"] for lane in LANES])
    return chart


def memory(recorded: Recorded) -> Any:
    """Return the memory of all processes of each system in the course of its last round."""
    arms = [arm for arm in COLOURS if arm in recorded.memory]
    chart = pygal.XY(
        **_usual(arms) | {"print_values": False},
        title="Memory of all processes in MiB, in the course of a round (seconds)",
        show_dots=False,
        stroke_style={"width": 2},
        value_formatter=_whole,
        x_value_formatter=_whole,
        range=(0, None),
    )
    for arm in arms:
        chart.add(arm, [(at, own + servers) for at, own, servers in recorded.memory[arm]])
    return chart


def _per_cent(value: float) -> str:
    return f"{value:,.2g} %" if value < 10 else f"{value:,.0f} %"


def _whole(value: float) -> str:
    return f"{value:,.0f}"
