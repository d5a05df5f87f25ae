"""MongoDB's driver: connecting, what its errors mean, and bulk writes of which one part can never be taken."""
