"""The receipts role: folds what clients acknowledged, and dead letters, into MongoDB."""
