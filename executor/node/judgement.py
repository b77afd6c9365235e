"""The owners of everything that was found on the node, sorted into living, dead and unknown ones.

The marks are collected before the locks are looked at, so that no owner is too young to have its lock. The locks of the
dead are held until the block ends: two reapers never work on the same owner.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from executor.names import MesosContainerId
from executor.node import claims as owners
from executor.node.claims import Owner
from executor.node.lock_identity import LockIdentity, Proof, Verdict, parse, prove
from executor.node.owner_marks import Marks

NO_IDENTITY = "something of it does not say which lock is its owner's: it may be of an older version"
NO_MARK = "only a cgroup carries its name"
_ORDER = (Verdict.LIVING, Verdict.UNKNOWN, Verdict.DEAD)


@dataclass(frozen=True)
class Judgement:
    """`unknown`: why nothing is proven, by owner."""

    living: frozenset[MesosContainerId] = frozenset()
    dead: tuple[Owner, ...] = ()
    unknown: Mapping[MesosContainerId, str] = field(default_factory=dict)


@contextmanager
def judged(run_dir: Path, marks: Marks, *, only: str = "") -> Iterator[Judgement]:
    """The judgements of all owners that `marks` or the owner files in `run_dir` name, or of the one that is called
    `only`: the locks of others are left to those who reap them.
    """
    held: list[int] = []
    living: set[MesosContainerId] = set()
    dead: list[Owner] = []
    unknown: dict[MesosContainerId, str] = {}
    try:
        named = marks.keys() | owners.names(run_dir)
        for container in sorted(named if not only else named & {MesosContainerId(only)}):
            proof, identity = _judge(container, run_dir, marks.get(container, frozenset()))
            if proof.descriptor >= 0:
                held.append(proof.descriptor)
            if proof.verdict is Verdict.LIVING:
                living.add(container)
            elif proof.verdict is Verdict.DEAD:
                dead.append(owners.of_dead(container, proof.descriptor, identity))
            else:
                unknown[container] = proof.reason
        yield Judgement(frozenset(living), tuple(dead), unknown)
    finally:
        for descriptor in held:
            os.close(descriptor)


def _judge(container: MesosContainerId, run_dir: Path, texts: frozenset[str]) -> tuple[Proof, LockIdentity | None]:
    """By every identity that something of it carries, its file in `run_dir` included: a single one that lives, or is
    unknown, decides.
    """
    parsed = [_named(container, parse(text)) for text in texts]
    # One lock for each file: a second one on the same file would look like a living owner's.
    identities = {(each.device, each.inode): each for each in parsed if each is not None}
    if (own := owners.identity_in(run_dir, container)) is not None:
        identities[own.device, own.inode] = own
    proofs: list[tuple[Proof, LockIdentity | None]] = [(prove(each), each) for each in identities.values()]
    if None in parsed:
        proofs.append((Proof(Verdict.UNKNOWN, NO_IDENTITY), None))
    if not proofs:
        return Proof(Verdict.UNKNOWN, NO_MARK), None
    decisive = min(proofs, key=lambda each: _ORDER.index(each[0].verdict))
    for proof, _ in proofs:
        if proof is not decisive[0] and proof.descriptor >= 0:
            os.close(proof.descriptor)
    return decisive


def _named(container: MesosContainerId, identity: LockIdentity | None) -> LockIdentity | None:
    """None for a lock of another name: no such file is ever locked, read or renamed."""
    named = identity is not None and Path(identity.path).name == f"{container}{owners.SUFFIX}"
    return identity if named else None
