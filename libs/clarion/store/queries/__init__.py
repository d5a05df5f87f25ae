"""What is asked of stored notifications, besides a lane's own reads: the inbox, a sender's view, who has what."""
