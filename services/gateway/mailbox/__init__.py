"""The mailbox a gateway leases, reads, and is found by."""
