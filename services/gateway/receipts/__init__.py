"""What clients have acknowledged and read, on its way to Kafka."""
