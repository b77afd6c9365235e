from __future__ import annotations

import dataclasses
import os
import subprocess

from tests.support.node.record import Owner, start_ticks


def test_a_living_owner_is_not_dead_and_a_reused_process_id_is() -> None:
    owner = Owner.current()
    assert not owner.is_dead()
    assert dataclasses.replace(owner, start_ticks=owner.start_ticks - 1).is_dead()


def test_an_owner_in_another_process_namespace_proves_nothing() -> None:
    assert not dataclasses.replace(Owner.current(), start_ticks=0, pid_namespace="pid:[1]").is_dead()


def test_a_zombie_has_ended() -> None:
    child = subprocess.Popen(["true"], stdin=subprocess.DEVNULL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert start_ticks(child.pid) is None
    child.wait()
