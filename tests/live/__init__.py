"""The model's schedules, step by step, on a real Kafka, a real MongoDB and the services' own code."""
