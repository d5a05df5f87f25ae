"""What an operator sees of the whole system at a glance, made of what all processes say of themselves. Pure."""
