"""The whole system on one machine, from Python packages alone: `clarion local up`."""
