"""The three systems: how each is started, published to and connected to."""
