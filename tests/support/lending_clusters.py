"""The clusters that lending is simulated on, and the settings that are compared. Pure.

What was published, and is the input:

Borg: Verma et al., Large-scale cluster management at Google with Borg, EuroSys 2015 (doi 10.1145/2741948.2741964),
    2.1: in a representative cell production jobs are allocated about 70 % of the CPUs, and are about 60 % of the CPU
    usage. 5.5: reservations decay toward the usage and a margin; about 20 % of the work of a median cell runs in what
    is reclaimed so. Tirmazi et al., Borg: the Next Generation, EuroSys 2020 (doi 10.1145/3342195.3387517), of the trace
    of 2019: the CPU hours of a job have a Pareto tail with alpha 0.69; the top 1 % of jobs use over 99 % of them.
co-located: Cheng et al., Characterizing Co-located Datacenter Workloads: An Alibaba Case Study, APSys 2018 (arXiv
    1808.02919), of the trace of 2017: 1,313 nodes of 64 cores, 40 to 50 % of the CPUs in use in the first four hours,
    then less; batch jobs are short, and come and go. Jiang et al., Characterizing Co-located Workloads in Alibaba Cloud
    Datacenters, IEEE Transactions on Cloud Computing (doi 10.1109/TCC.2020.3034500), of the trace of 2018: use follows
    the day.

What is not published there is assumed: see each cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HOUR_S: Final = 3600.0


@dataclass(frozen=True)
class Cluster:
    """`reserved`: the owner's share of the cores. `load`: the mean share of the reservation that its tasks hold, and
    `swing` how much of it the day moves (0 to 1). `use`: the mean share of what they hold that they use. `shortest_s`,
    `longest_s`, `alpha`: a bounded Pareto distribution of how long a task lasts.
    """

    name: str
    cores: int
    reserved: float
    load: float
    swing: float
    use: float
    alpha: float
    shortest_s: float
    longest_s: float


BORG: Final = Cluster(
    "Borg", cores=32, reserved=0.7, load=0.75, swing=0.2, use=0.5, alpha=0.69, shortest_s=10, longest_s=8 * HOUR_S
)
"""Published: reserved; alpha, which is of a job's CPU hours: that the time of a task has the same tail is assumed.
Assumed: the load and the sizes; use, of which 60 % of a cell's usage in 70 % of its CPUs is only a hint.
"""
COLOCATED: Final = Cluster(
    "co-located", cores=64, reserved=0.6, load=0.45, swing=0.6, use=0.7, alpha=1.1, shortest_s=10, longest_s=HOUR_S
)
"""Published: cores, and that use follows the day. Assumed: that the owner is the batch work, its load and sizes."""


@dataclass(frozen=True)
class Setting:
    """Keys of [lending]."""

    grow_after_s: float = 10.0
    by_use: bool = False
    margin_percent: float = 20.0
    half_life_s: float = 300.0
