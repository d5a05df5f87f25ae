"""The whole system for a long time, everything on and connections that come and go: does anything grow, or get lost."""
