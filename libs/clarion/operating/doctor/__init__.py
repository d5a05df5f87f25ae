"""`clarion doctor`: checks of a deployment, each with its result, what it is based on, and a cure."""
