"""One executor on a real node for a long time: everything that it does, with faults, and what it holds meanwhile.

churn.py      launches, kills, revocations, restarts, probes, pulls, exec, updates; and faults of its peers
sampling.py   what the executor and the node hold, counted from outside
trend.py      whether a series of figures is flat (pure)
report.py     the table and the plot
month/        a month on 100 machines, in virtual time
"""
