"""Kafka and MongoDB on loopback, from wheels and jars to a server that answers."""
