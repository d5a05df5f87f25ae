"""Run `clarion`, and have it collect all of its garbage now and then: `python -m tests.soak.process …`.

A process of Clarion lets 100,000 objects gather before it looks for cycles among them (`clarion.process`), which takes
a quiet one an hour. Until then its memory rises by garbage, up to a bound, and a soak of minutes could not tell that
from a leak.
"""

import gc
import threading
import time
from typing import Final

from clarion.cli.__main__ import main

COLLECT_EVERY_S: Final = 15.0  # often enough that what gathers meanwhile is little beside an arena


def _collect() -> None:
    while True:
        time.sleep(COLLECT_EVERY_S)
        gc.collect()


if __name__ == "__main__":
    threading.Thread(target=_collect, name="garbage", daemon=True).start()
    main()
