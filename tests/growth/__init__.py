"""How costs grow: with what is stored, with gateways and workers; and, simulated, up to a million connected users."""
