"""Spark on the same nodes as the pods: two hosts, a real master, real agents with their network isolator, real Spark.

hosts.py    the hosts, as network namespaces
site.py     containerd, an agent and this program's configuration on each of them, and one master
submit.py   how Spark is started, beside the pods or in one
job.py      what Spark does: runs where Spark runs
pods.py     the pods that it talks to
gate.py     where the job and the pods report, and wait in the middle
DriverExercise.java   makes every call of the class below
shim/       org.apache.mesos.MesosSchedulerDriver without its native library, compiled by packaging/prepare

Spark itself, its Mesos back end and its executors are as published; that one class is all that is replaced.
"""
