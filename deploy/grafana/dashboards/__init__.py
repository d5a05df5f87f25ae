"""All dashboards, by the names of their files."""

from collections.abc import Callable, Mapping
from typing import Final

from deploy.grafana.charts import Board
from deploy.grafana.dashboards.dead_letters import dead_letters
from deploy.grafana.dashboards.dependencies import dependencies
from deploy.grafana.dashboards.gateways import gateways
from deploy.grafana.dashboards.lanes import lanes
from deploy.grafana.dashboards.overview import overview

DASHBOARDS: Final[Mapping[str, Callable[[], Board]]] = {
    "overview": overview,
    "lanes": lanes,
    "gateways": gateways,
    "dependencies": dependencies,
    "dead-letters": dead_letters,
}
