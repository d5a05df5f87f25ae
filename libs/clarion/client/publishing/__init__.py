"""`Publisher`, over HTTP and over Kafka."""
