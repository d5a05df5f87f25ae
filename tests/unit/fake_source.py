"""A `BatchSource` of a test's own: one that owns everything, unless the test says otherwise."""

from collections.abc import Callable
from dataclasses import dataclass

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.record_batch import RecordBatch


@dataclass
class FakeSource:
    owns: Callable[[int], bool] = lambda epoch: True
    rewind: Callable[[int], None] = lambda epoch: None
    shelve: Callable[[RecordBatch], None] = lambda batch: None
    assigned: Callable[[], set[Partition]] = set
    waiting: Callable[[], str] = str
    readable: Callable[[], int] = int
