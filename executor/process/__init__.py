"""This process: `run` is its life, `owned` what it owns on the node, `parts` what it is made of."""
