"""Prometheus: what to scrape, and the alert and recording rules that are made of `clarion.rules`."""
