"""What `--with bench` makes: podman and crun in a directory of their own, and the Python client of CRI.

apt finds what they need beside the packages that this machine has. Its packages are unpacked, not installed.
"""

from __future__ import annotations

import shutil

from preparation.engine import BUILD, Runner, Step
from preparation.suites import directory, inputs, install

PEERS = BUILD / "bench/peers"
"""The root into which the packages are unpacked."""
PACKAGES = ("podman", "crun")
HINT = "it downloads packages of Debian; is the archive of packages reachable?"


def unpack(run: Runner) -> None:
    """Download the packages and what they depend on, and unpack them."""
    top = PEERS.parent / "apt"
    for path in (PEERS, top):
        shutil.rmtree(path, ignore_errors=True)
    for name in ("lists/partial", "cache/archives/partial"):
        (top / name).mkdir(parents=True)
    options = {"Dir::State::lists": top / "lists", "Dir::Cache": top / "cache", "APT::Sandbox::User": "root"}
    apt = ["apt-get", "-q", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
    run(*apt, "update", attempts=3)
    only = ("--download-only", "--reinstall", "--no-install-recommends", "--yes")
    run(*apt, "install", *only, *PACKAGES, attempts=3)
    for package in sorted((top / "cache/archives").glob("*.deb")):
        run("dpkg-deb", "-x", package, PEERS)
    shutil.rmtree(top)


STEPS = {
    "bench": (
        Step("peers", lambda: PACKAGES, (PEERS / "usr/bin/podman", PEERS / "usr/bin/crun"), unpack, HINT),
        Step(
            "cri",
            inputs("bench"),
            (directory("bench") / "cri_api",),
            install("bench"),
            "Is the package registry reachable?",
        ),
    )
}
