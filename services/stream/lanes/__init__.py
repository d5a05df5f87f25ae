"""The lanes: ordinary ones, and urgent, which delivers without MongoDB."""
