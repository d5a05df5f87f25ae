"""`clarion local demo` and `feed`: sample events published, and each of them accounted for."""
