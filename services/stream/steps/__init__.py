"""The steps of a window's work: decode, throttle, store, pack and produce, and what becomes of bad records."""
