"""Volumes of pods, one file for each kind."""
