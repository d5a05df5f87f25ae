"""What helps when a server fails or is overloaded: backoff, retries, circuit breaker, rate limit, limit by latency."""
