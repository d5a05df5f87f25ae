"""MongoDB: the only folder that connects to it and queries it, so that another driver changes little else."""
