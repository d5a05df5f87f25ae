"""MongoDB's driver: connecting, what its errors mean, and bulk writes that go on past a part that is never taken."""
