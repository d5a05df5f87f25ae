"""Grafana: dashboards, built in Python of charts that are plain data, and committed as JSON."""
