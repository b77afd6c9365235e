"""The configuration section [lending]. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from executor.config.key import key
from executor.config.role_limit import RoleLimit


@dataclass(frozen=True)
class LendingSection:
    """What owners have reserved on this node and do not use is offered as revocable (`mesos-pod-executor lend`)."""

    owners: tuple[str, ...] = key(
        (),
        "Roles whose unused reservations are offered, each with the roles below it; none: the lender does not start.",
        roles=True,
    )
    masters: tuple[str, ...] = key(
        ("127.0.0.1:5050",),
        "All masters: the leading one announces each task before its executor starts.",
        endpoints=True,
    )
    agent: str = key("127.0.0.1:5051", "This node's agent, HOST:PORT.", filled=True)
    agent_cgroup: str = key(
        "/mesos",
        "The agent's --cgroups_root: while no master can be reached, a new container in it shows a launch.",
        group=True,
    )
    credential_file: str = key(
        "/etc/mesos-pod-executor/lending-credential",
        "One line, principal and secret, for a master or agent that demands them; missing: none are sent.",
        absolute=True,
    )
    memory: bool = key(default=True, doc="Offer unused memory too; false: only cpus.")
    by_use: bool = key(
        default=False,
        doc="Offer cpus too that an owner's tasks hold and do not use: what is above their peak and a margin.",
    )
    margin_percent: float = key(
        20.0, "What an owner keeps above the peak use of its cpus (by_use), in percent of it.", least=0, most=1000
    )
    peak_half_life_s: float = key(
        300.0, "After this time a peak has decayed by half toward the use (by_use), seconds.", least=1, most=86400
    )
    grow_after_s: float = key(
        30.0,
        "The offer grows to what was unused for this whole time, and shrinks at once, seconds.",
        least=0,
        most=86400,
    )
    interval_s: float = key(
        1.0,
        "How often the agent is asked, seconds; five times less often while a master is followed.",
        least=0.1,
        most=60,
    )
    grace_s: float = key(
        0.0,
        "Time from notice to SIGKILL of a pod whose resources an owner needs, seconds; its cpus are squeezed at once.",
        least=0,
        most=3600,
    )
    borrowers: Mapping[str, str] = key(
        MappingProxyType({}),
        'Owners that a role and those below it may borrow from, separated by blanks: batch = "spark", dev = "*"; a role'
        " that is not listed borrows nothing; an empty table: every role borrows from every owner.",
        roles=True,
    )
    quotas: Mapping[str, RoleLimit] = key(
        MappingProxyType({}),
        "Loans that a role and those below it may have on this node: batch = {cpus = 4, mem = '8Gi'}.",
        roles=True,
    )
