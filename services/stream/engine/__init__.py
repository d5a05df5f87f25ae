"""The way from Kafka to windows of records and back to a commit, for every role; topics that grow or are made anew."""
