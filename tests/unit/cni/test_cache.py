"""Records of attachments: whole or not at all, and removed without a rest."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from executor.cni.records.cache import Cache, Record
from executor.errors import NetworkFailure

RECORD = Record(
    container_id="pod-1",
    ifname="eth0",
    network="net",
    netns="/run/netns/x",
    file="net.conf",
    order=0,
    document={"cniVersion": "1.0.0", "name": "net", "plugins": [{"type": "x"}]},
    capability_args={"mac": "x"},
    args={"org.apache.mesos": {}},
    cni_args="A=B",
    complete=True,
    result={"ips": []},
)


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "state")
    cache.save(RECORD)
    assert cache.of("pod-1") == (RECORD,)
    assert cache.readable() == ((RECORD,), ())
    assert (tmp_path / "state/pod-1").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state/pod-1/eth0.json").stat().st_mode & 0o777 == 0o600


def test_records_come_in_the_order_of_attaching(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for order, ifname in enumerate(("eth1", "net0", "eth0")):
        cache.save(replace(RECORD, ifname=ifname, order=order))
    assert [record.ifname for record in cache.of("pod-1")] == ["eth1", "net0", "eth0"]


def test_the_last_record_takes_the_directory_with_it(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    other = replace(RECORD, ifname="eth1")
    cache.save(RECORD)
    cache.save(other)
    (tmp_path / "pod-1/.eth2.json.new").write_text("{")  # a crash while writing
    cache.remove(RECORD)
    assert cache.of("pod-1") == (other,)
    cache.remove(other)
    assert list(tmp_path.iterdir()) == []
    cache.remove(other)
    assert cache.of("pod-1") == ()


def test_a_write_that_fails_leaves_the_former_record(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.save(RECORD)
    with pytest.raises(TypeError):
        cache.save(replace(RECORD, result={"not": {"json"}}))
    (tmp_path / "pod-1/.eth0.json.new").mkdir()  # in the way
    with pytest.raises(NetworkFailure, match="cannot keep the record"):
        cache.save(replace(RECORD, complete=False))
    assert cache.of("pod-1") == (RECORD,)


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "state")
    cache.save(RECORD)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "state/pod-1/.eth0.json.new").symlink_to(victim)
    with pytest.raises(NetworkFailure):
        cache.save(RECORD)
    assert victim.read_text() == "precious"


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(5):
        cache.save(RECORD)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
