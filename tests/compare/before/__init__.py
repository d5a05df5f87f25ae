"""The system that Clarion replaces, built as it was described: the README says which part comes from which sentence."""
