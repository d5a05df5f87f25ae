"""Delivers what the gateway's mailbox brings to connected users, and replays what returning users have missed."""
