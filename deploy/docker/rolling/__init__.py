"""Replace the containers of all services one after the other while they are in use: `make upgrade`, `make rollback`."""
