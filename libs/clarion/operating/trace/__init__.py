"""`clarion trace ID`: the whole story of one notification, from MongoDB and from what Kafka still has."""
