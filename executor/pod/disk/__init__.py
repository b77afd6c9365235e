"""Counts what pods use of the disk, and ends those that are over a limit."""
