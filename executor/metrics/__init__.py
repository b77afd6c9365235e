"""What the executor counts and measures, in Prometheus' terms.

catalog.py     every name with its help, labels and unit: the only place where one is written
counters.py    what events add up to; fed by the log's sink, so that an event and its count are one thing
gauges.py      what is read at each scrape: pods, classes, queues, this process
loop_lag.py    how late the event loop is
exposition.py  both as Prometheus' text; the only module that loads prometheus-client, at the first scrape
endpoint.py    GET /metrics, on the control socket and, if configured, on a loopback port

Invariant: labels are bounded by the code and by Mesos's enums. No pod, task, container or role is ever a label.
"""
