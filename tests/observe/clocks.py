"""How much quicker than in production rules are evaluated here. What they compare with stays as it is."""

from typing import Final

from clarion.rules.quickened import Clock

# For the alerts and for the monitor of each process: ten minutes are one.
TROUBLES: Final = Clock(factor=10.0)
# For the objectives, whose windows have hours and days: an hour is a minute. A fault's burn has to be over before the
# next fault.
OBJECTIVES: Final = Clock(factor=60.0)
# The monitors and the observer look more often by this, so that the shorter windows have samples.
LOOKS: Final = 2.5
SCRAPE_S: Final = 2
EVALUATE_S: Final = 2
