"""A million connected users on a hundred gateways, simulated with measured unit costs."""
