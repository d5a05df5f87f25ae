"""Queries of stored notifications, besides a lane's own: the inbox, the sender's view, and what is pending for whom."""
