"""What the ledger decides, apart from Kafka and the store: what is kept of a record, and in which state a use is."""
