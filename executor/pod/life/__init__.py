"""The life of a pod and of its containers: two pure tables, their states, events and effects, and the reports."""
