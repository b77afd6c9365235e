"""Plugins of CNI: a chain, one run, its result, its errors."""
