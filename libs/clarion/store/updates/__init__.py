"""What changes stored notifications: receipts, retractions, expiry, and showing what a limit has held back."""
