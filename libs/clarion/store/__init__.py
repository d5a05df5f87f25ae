"""MongoDB. The only importer of its drivers, so that the way to another one is this folder."""
