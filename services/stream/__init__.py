"""Kafka → MongoDB → mailboxes: the lanes, the receipts role and the scheduler role."""
