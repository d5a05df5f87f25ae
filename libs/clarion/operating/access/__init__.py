"""What each role may do at Kafka and MongoDB: the table of permissions, and applying it to both."""
