"""Traces of launches for OpenTelemetry: off unless [traces] endpoint names a receiver.

spans.py     the spans of one launch, from its events (pure)
otlp.py      spans as the JSON of OTLP (pure)
exporter.py  the sink of events, and the thread that sends spans over HTTP

OTLP over HTTP with JSON needs no library. An executor without an endpoint imports nothing of this package.
"""
