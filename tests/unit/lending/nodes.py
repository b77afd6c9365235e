"""A node with a reservation, and tasks of an owner and of a borrower. Pure."""

from __future__ import annotations

from executor.lending.amount import NOTHING, Amount
from executor.lending.decision import Terms
from executor.lending.node import Holding, NodeState, Task
from executor.lending.policy import Policy
from executor.names import ExecutorId, FrameworkId, Role, TaskId

SPARK, BATCH = Role("spark"), Role("batch")
POLICY = Policy((SPARK,))
TERMS = Terms(grow_after_s=5.0)
MASTER = FrameworkId("f")
NODE = NodeState("S0", Amount(6000, 3072), {SPARK: Amount(4000, 2048)})


def owned(name: str, cpus: int, mem: int = 0) -> Task:
    amount = Amount(cpus, mem)
    return Task((MASTER, TaskId(name)), ExecutorId("x"), Holding(SPARK, {SPARK: amount}, NOTHING, amount))


def loan(name: str, cpus: int, *, executor: str = "pods", role: Role = BATCH) -> Task:
    return Task((MASTER, TaskId(name)), ExecutorId(executor), Holding(role, {}, Amount(cpus), NOTHING))
