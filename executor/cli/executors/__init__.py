"""The executors of this node, as commands see them, and the way to ask them."""
