"""Who may do what: tokens and origins."""
