"""The steps of a window's work: decode, store, route, emit, and what becomes of records that cannot be taken."""
