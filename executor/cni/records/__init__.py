"""Records of attachments, and of the addresses that host-local has reserved."""
