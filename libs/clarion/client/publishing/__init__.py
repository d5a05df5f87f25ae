"""`Publisher`, over HTTP or straight to Kafka."""
