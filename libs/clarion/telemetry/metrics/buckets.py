"""The bounds up to which histograms count."""

from typing import Final

# Around the objectives (publish → frame, p99): urgent 250 ms, high 500 ms, normal 1 s, low 5 s. Each is a bound, so
# that the share of deliveries that keep it is counted exactly.
DELIVERY_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600)
STAGE_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
DELAY_S: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
COUNT: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
LARGE_COUNT: Final = (1, 5, 10, 50, 100, 500, 1000, 5000, 10_000)
