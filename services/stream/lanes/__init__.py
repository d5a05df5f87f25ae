"""The work of the lanes: the ordinary ones, and urgent, which delivers without MongoDB."""
