"""The commands about lending: the lender of a node, and its loans."""
