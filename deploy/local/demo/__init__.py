"""`clarion local demo` and `feed`: publish sample events; `demo` accounts for each of them."""
