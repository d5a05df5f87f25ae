"""What clients see: frames, close codes, the inbox, a notification's status, and problem details."""
