"""The pages of a real executor in a real browser."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import subprocess
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig
from tests.support.schema import faults

pytestmark = [pytest.mark.root, pytest.mark.mesos, pytest.mark.usefixtures("scheduler")]

CHROMIUM = (
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1240,1600",
)  # fmt: skip


@pytest.fixture(scope="module")
def receipt(rig: Rig, scheduler: Scheduler) -> dict[str, Any]:
    """A receipt with two victims: one exits within its grace, one has to be killed."""
    stubborn = ("sh", "-c", "trap '' TERM; sleep 1000 & while :; do wait; done")
    scheduler.launch(
        [rig.pod("kind", revocable=True), rig.pod("stubborn", revocable=True, command=stubborn)], rig.executor()
    )
    for name in ("kind", "stubborn"):
        scheduler.wait_status(name, "TASK_RUNNING", 30)
    found: dict[str, Any] = rig.json("revoke", "--all", "--grace", "1s", "--reason", "a picture & <proof>")
    return found


@contextlib.contextmanager
def served(rig: Rig) -> Iterator[str]:
    line = [*rig.program, "serve", "--port", "0"]
    environment = {**os.environ, **rig.environment()}
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.send_signal(2)
        assert process.wait(10) == 130


def browse(url: str, directory: Path) -> tuple[str, str]:
    """The page as the browser has it, without tags; and the whole DOM. A picture of it is left beside."""
    profile = f"--user-data-dir={directory / 'profile'}"
    logging = ("--enable-logging=stderr", "--log-level=0")
    done = subprocess.run(
        [*CHROMIUM, profile, *logging, "--dump-dom", url], capture_output=True, text=True, timeout=60, check=True
    )
    assert "CONSOLE" not in done.stderr, "the browser complains: " + done.stderr
    picture = directory / "page.png"
    subprocess.run([*CHROMIUM, profile, f"--screenshot={picture}", url], capture_output=True, timeout=60, check=True)
    assert picture.stat().st_size > 20_000, "nearly empty"
    body = re.sub(r"<style>.*?</style>", "", done.stdout, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split()), done.stdout


def test_a_report_is_one_file_that_a_browser_shows(rig: Rig, receipt: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    rig.command("report", receipt["id"], "-o", str(file))
    text, dom = browse(file.as_uri(), tmp_path)
    assert f"Revocation {receipt['id']} done" in text and "a picture & <proof>" in text
    assert "2 victims" in text and "unchanged 2 pods with" in text
    for victim in receipt["victims"]:
        assert f"{victim['tasks'][0]} {victim['outcome']}" in text, "in the picture"
        assert f"{victim['tasks'][0]} {victim['pod']} {victim['outcome']}" in text, "in the table"
    assert [step["step"] for step in receipt["steps"]] == re.findall(r"\d ([a-z]{3,}) [\d.]+ m?s [\d.]+ m?s", text)
    assert dom.count("<rect") == 3
    assert "revocation.started" in text and "pod.ended" in text


def test_the_report_as_json(rig: Rig, receipt: dict[str, Any]) -> None:
    document = rig.json("report", receipt["id"])
    rig.command("revoke", "--all", "--dry-run")
    assert rig.json("report") == document, "the newest one that ended pods"
    assert faults("report", document) == []
    assert document["receipt"] == receipt
    codes = [event["code"] for event in document["events"]]
    assert codes[0] == "revocation.started" and codes.count("pod.destroying") == 2


def test_the_node_in_a_browser(rig: Rig, receipt: dict[str, Any], tmp_path: Path) -> None:
    with served(rig) as url:
        text, dom = browse(url, tmp_path)
        assert "mixed subscribed" in text and "2 regular pods" in text
        assert "regular, role *: 2" in text
        for pod in rig.pods():
            assert f"{pod['namespace']}/{pod['name']} {pod['pod']} running" in text
            assert f'id="{pod["pod"]}"' in dom
        assert re.search(r"wait cpu [\d.]+ / [\d.]+ / [\d.]+ %", text)
        assert f"{receipt['id']} done 2 victims, 0.2 cpus" in text
        assert "<svg" in dom
        text, _ = browse(f"{url}revocations/{receipt['id']}", tmp_path)
        assert f"Revocation {receipt['id']} done" in text


def ask(url: str, path: str, method: str = "GET", host: str = "") -> tuple[int, str, http.client.HTTPMessage]:
    address = url.removeprefix("http://").rstrip("/")
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request(method, path, headers={"host": host or address})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers
    finally:
        connection.close()


def test_it_is_for_reading_on_loopback_only(rig: Rig, receipt: dict[str, Any]) -> None:
    with served(rig) as url:
        status, _, headers = ask(url, "/")
        assert status == 200 and "default-src 'none'" in headers["content-security-policy"]
        assert ask(url, "/", "HEAD")[:2] == (200, "")
        assert ask(url, "/", host="node.example.org")[0] == 403
        assert ask(url, "/v1/pods")[0] == 404
        assert ask(url, "/revocations/none")[0] == 404
        assert ask(url, "/", "POST")[0] == 405
        addresses = subprocess.run(["ip", "-4", "-o", "addr"], capture_output=True, text=True, check=True).stdout
        (bridge,) = [line.split()[3] for line in addresses.splitlines() if " mpe0 " in line]
        with pytest.raises(ConnectionRefusedError):
            ask(url.replace("127.0.0.1", bridge.split("/")[0]), "/")


def test_a_taken_port_and_an_unknown_revocation_are_clear_errors(rig: Rig) -> None:
    with served(rig) as url:
        port = url.rstrip("/").rpartition(":")[2]
        done = rig.command("serve", "--port", port, check=False)
        assert done.returncode == 1 and port in done.stderr
    assert rig.command("report", "r-none", check=False).returncode == 3
