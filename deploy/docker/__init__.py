"""Clarion in containers: the service image, and everything that `docker-compose.yml` starts beside it."""
