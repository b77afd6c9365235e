"""The limits, weights and use of the class subtrees and their pods."""
