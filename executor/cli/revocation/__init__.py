"""The commands that take revocable resources back, or show what that does and did."""
