"""The receipts role: folds what clients acknowledged into MongoDB."""
