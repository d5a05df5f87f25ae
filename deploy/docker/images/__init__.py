"""Build every image that `docker-compose.yml` needs without an image registry: `make images`."""
