"""What a pod and a revocation cost beside the bare calls that cannot be saved; figures, not tests."""
