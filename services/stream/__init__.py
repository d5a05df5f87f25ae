"""The service between Kafka, MongoDB and mailboxes: the lanes, the receipts role and the scheduler role."""
