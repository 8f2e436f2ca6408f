"""A detection's result as nodes of a scene: made, found again, read."""
