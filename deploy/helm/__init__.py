"""What is made for the Helm chart of the code: the schema of its values, and the table of its README."""
