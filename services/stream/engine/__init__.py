"""From Kafka to windows of records and back to a commit: Faust, the pipeline, topics that grow or are made anew."""
