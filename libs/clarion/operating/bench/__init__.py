"""`clarion bench`: a bounded load on a running Clarion, and its latencies against the objectives."""
