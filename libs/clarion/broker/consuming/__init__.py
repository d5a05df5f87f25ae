"""The way from fetched batches to records and commits, under Faust and for every other consumer."""
