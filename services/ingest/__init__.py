"""Ingest: the HTTP door. What it answers 202 for, Kafka has acknowledged."""
