"""Who may do what (tokens, origins), and how much one network address may take up."""
