"""What all parts agree on: records, client frames, topics and limits. Data only, no I/O."""
