"""What changes a stored notification: receipts, retractions, expiry, and showing what a limit held back."""
