"""Comparing what plugins said with what the kernel has, and the messages that the kernel sends."""
