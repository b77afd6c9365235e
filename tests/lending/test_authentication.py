"""An agent that authenticates HTTP: the lender has a principal and a secret for its operator and provider APIs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.lending import (
    OPTIONS_RESERVED,
    Lender,
    borrow,
    borrower,
    demand,
    first_instruction,
    owner,
)
from tests.support.mesos.messages import TERMINAL
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos, pytest.mark.timeout(180)]

PRINCIPAL, SECRET = "lender", "0123456789abcdef"


class OpenLender(Lender):
    """Looks at the agent's tasks by the master: this agent wants a credential."""

    def _tasks(self) -> list[dict[str, object]]:
        return list(self.rig.cluster.master.operator.tasks().get("tasks", []))


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    credentials = tmp_path_factory.mktemp("mesos") / "credentials.json"
    credentials.write_text(json.dumps({"credentials": [{"principal": PRINCIPAL, "secret": SECRET}]}))
    extra = {
        "MESOS_AUTHENTICATE_HTTP_READONLY": "true",
        "MESOS_AUTHENTICATE_HTTP_READWRITE": "true",
        "MESOS_HTTP_CREDENTIALS": str(credentials),
        "MESOS_CREDENTIALS": str(credentials),  # the process of the agent has a master too, which nobody asks
    }
    with Rig(replace(OPTIONS_RESERVED, extra=extra)) as node:
        yield node


def credential(directory: Path, secret: str) -> dict[str, str]:
    file = directory / "credential"
    file.write_text(f"{PRINCIPAL} {secret}\n")
    return {"LENDING_CREDENTIAL_FILE": str(file)}


def test_a_lending_cycle_on_an_agent_that_authenticates(rig: Rig, tmp_path: Path) -> None:
    with OpenLender(rig, **credential(tmp_path, SECRET)) as lender, owner(rig) as spark, borrower(rig) as batch:
        lender.wait_offer(4.0)
        borrow(rig, batch, ["one", "two"], cpus=2.0)
        first = tmp_path / "first"
        demand(spark, "exec", 2.0, first)
        first_instruction(first)
        wait_for(lambda: lender.freed_s() or None, 10)
        lost = [name for name in ("one", "two") if batch.statuses(name)[-1].state in TERMINAL]
        assert len(lost) == 1, lender.log_path.read_text()[-3000:]


@pytest.mark.parametrize("secret", ["", "wrong"])
def test_without_the_right_secret_the_lender_names_what_is_missing(rig: Rig, tmp_path: Path, secret: str) -> None:
    keys = credential(tmp_path, secret) if secret else {}
    with OpenLender(rig, **keys) as lender:
        behind = wait_for(lambda: lender.lines("lending.behind") or None, 15)
        assert behind is not None and any("HTTP 401" in str(line["error"]) for line in behind), behind
        assert all("credential_file" in line["hint"] for line in behind)
        assert not lender.lines("lending.subscribed")
