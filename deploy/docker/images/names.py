"""Name the images that `make images` builds, and the variable by which `docker-compose.yml` takes each."""

from dataclasses import dataclass
from typing import Final

BASE: Final = "clarion-base:local"
SERVICE: Final = "clarion:dev"


@dataclass(frozen=True, slots=True)
class Built:
    """An image beside the service's: its name, its variable, and the folder of its Dockerfile."""

    name: str
    variable: str
    folder: str
    is_monitoring: bool = False


BESIDE: Final = (
    Built("clarion-kafka:local", "KAFKA_IMAGE", "kafka"),
    Built("clarion-mongodb:local", "MONGODB_IMAGE", "mongodb"),
    Built("clarion-load-balancer:local", "LOAD_BALANCER_IMAGE", "load-balancer"),
    Built("clarion-prometheus:local", "PROMETHEUS_IMAGE", "prometheus", is_monitoring=True),
    Built("clarion-alertmanager:local", "ALERTMANAGER_IMAGE", "alertmanager", is_monitoring=True),
)


def environment(*, with_monitoring: bool) -> dict[str, str]:
    """Return the variables by which `docker-compose.yml` and the tests use these images."""
    beside = {one.variable: one.name for one in BESIDE if with_monitoring or not one.is_monitoring}
    return {"BASE_IMAGE": BASE, "SERVICE_IMAGE": SERVICE, **beside}
