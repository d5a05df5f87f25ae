"""Other systems' events → notifications. Pure: who is concerned, and what to tell them."""
