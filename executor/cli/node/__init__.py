"""The commands about this node and the program on it."""
