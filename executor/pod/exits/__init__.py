"""How containers end, what the kernel says about it, and what it means for their tasks."""
