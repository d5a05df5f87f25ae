"""Console: what operators see and do over HTTP, with tokens of the scope `operate`."""
