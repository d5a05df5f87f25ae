"""The observer role: looks at Kafka and MongoDB from outside, and exports what it sees, whatever else runs."""
