"""Kafka: every client setting in one place, topics, and the record-batch transport under Faust."""
