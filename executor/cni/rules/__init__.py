"""Port and masquerade rules of attachments."""
