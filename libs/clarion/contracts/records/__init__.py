"""What is in Kafka: notifications, deliveries, receipts and dead letters."""
