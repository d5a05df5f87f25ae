"""Sends to Kafka what clients have acknowledged and read."""
