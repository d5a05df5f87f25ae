"""The one table of known troubles: what shows each, from when on, its cause and its cure. Pure."""
