"""How far consumer groups are behind, and the clocks of brokers: asked of Kafka, whatever process runs."""
