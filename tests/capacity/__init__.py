"""The arithmetic of docs/capacity.md: what a deployment needs, of unit costs."""
