"""Inputs from outside, made up and read until something breaks: coverage-guided, by atheris (libFuzzer).

targets.py    the readers, by name, and what each of them may raise
pods.py       the reader of pods: an accepted one goes through every pure stage that follows
seeds.py      good inputs, from which others are made
mutation.py   how: bytes by libFuzzer, documents by their structure
limits.py     what one input may cost
process.py    one target in a process of its own; `python -m tests.fuzz.process TARGET FILE...` replays files
found/        inputs that broke a reader once: each run reads them first
"""
