"""Lending with a real Spark: two agents, an owner that computes in bursts, pods that borrow what it leaves idle.

turns.py    the run: bursts with lending and without, in turns
spark.py    Spark's driver, and the moment at which its executors' processes begin
usage.py    the cpus that owner, regular and revocable pods use, over time
figures.py  what the turns add up to, and the targets (pure)
plot.py     the picture
"""
