"""What people see of a comparison: the table and the charts."""
