"""MongoDB. The only importer of motor, so that the way to another driver is this folder."""
