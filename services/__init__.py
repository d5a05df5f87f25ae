"""The services: `ingest`, `stream` and `gateway`. They import `clarion`, and never each other."""
