"""`make faults-strangers`: what other producers, tokens, proxies and clients send, beside honest traffic."""
