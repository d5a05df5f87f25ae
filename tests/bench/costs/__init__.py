"""What one notification costs each process, and how many bytes it takes in Kafka and MongoDB."""
