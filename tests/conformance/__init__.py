"""One table of cases for both SDKs and the gateway."""
