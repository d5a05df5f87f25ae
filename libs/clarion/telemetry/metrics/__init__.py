"""The metric catalogue: every series that Clarion exports, each declared once, in the module of its subject.

No label is a user, an id, a connection or a raw path: each value of a label makes a series, so there would be no limit
to their number. `docs/metrics.md` is made of these declarations.
"""

from typing import Final

from prometheus_client import disable_created_metrics

from clarion.telemetry.metrics import own_process
from clarion.telemetry.metrics.declare import Subject
from clarion.telemetry.metrics.gateway import *
from clarion.telemetry.metrics.http import *
from clarion.telemetry.metrics.ingest import *
from clarion.telemetry.metrics.lanes import *
from clarion.telemetry.metrics.limited import *
from clarion.telemetry.metrics.observer import *
from clarion.telemetry.metrics.process import *
from clarion.telemetry.metrics.scheduler import *
from clarion.telemetry.metrics.store import *
from clarion.telemetry.metrics.stream import *

CATALOGUE: Final[tuple[Subject, ...]] = (
    OBSERVER, PROCESS, HTTP, INGEST, STREAM, LANES, SCHEDULER, STORE, GATEWAY, LIMITS,
)  # fmt: skip

# Prometheus does not use the second series that the library has of each counter, of when it began.
disable_created_metrics()
PROCESS.export()
own_process.export()
