"""What packaging/prepare does, step by step. Standard library only, since nothing else is there when it runs."""
