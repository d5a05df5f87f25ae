"""Real servers with TLS, logins and permissions, and services behind a proxy, by certificates made on the spot."""
