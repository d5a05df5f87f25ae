"""Metrics of what serves HTTP: ingest and gateways."""

from typing import Final

from clarion.telemetry.metrics import labels
from clarion.telemetry.metrics.declare import Subject

HTTP: Final = Subject("HTTP", "What ingest and gateways share: requests and their bodies.")

refused = HTTP.counter(
    "clarion_refused",
    "Refused requests, or refused lines of a request, by HTTP status",
    labels.STATUS,
    unit="requests",
    remedy="4xx are the callers' to mend, and the answer says how; for 429 and 503 see what is short.",
)
held_bytes = HTTP.gauge(
    "clarion_held_bytes",
    "Bytes of bodies in hand, and at ingest of records that Kafka has not acknowledged yet",
    unit="bytes",
    remedy="Near 64 MiB requests are answered 503: Kafka is slow, or more ingest processes are needed.",
)
connections_refused = HTTP.counter(
    "clarion_connections_refused",
    "Connections that were refused because file descriptors are short",
    unit="connections",
    remedy="Raise `ulimit -n`, lower CLARION_CONNECTIONS, or start more processes.",
)
answers_reset = HTTP.counter(
    "clarion_answers_reset",
    "Answers that were given up because nobody read them",
    unit="answers",
    remedy="A few are clients with a bad network. Many from one address are a client that does not read.",
)
