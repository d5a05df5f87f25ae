"""OpenTelemetry, which is optional: only `export.py` and what it imports need the extra `otel`."""
