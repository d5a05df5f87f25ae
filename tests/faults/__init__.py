"""Faults under load: processes killed, stopped and restarted while everything published is accounted for."""
