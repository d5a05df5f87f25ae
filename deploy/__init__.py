"""How Clarion is deployed: `local` runs all of it on one machine, `docker` has the image of the services."""
