"""The records in Kafka: notifications, deliveries, receipts and dead letters."""
