"""Ingest: accepts notifications over HTTP. It answers 202 only for what Kafka has acknowledged."""
