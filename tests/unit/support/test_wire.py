"""The bytes that the shim hands to libmesos, against what `protoc --encode` makes of the same messages."""

from __future__ import annotations

from tests.support.mesos import wire


def test_a_revocable_scalar() -> None:
    # mesos.Resource { name: "cpus" type: SCALAR scalar { value: 2.5 } revocable {} }
    expected = bytes.fromhex("0a046370757310001a090900000000000004404a00")
    assert wire.revocable("cpus", 2.5) == expected


def test_a_kill_correction_with_a_long_framework_id() -> None:
    # mesos.slave.QoSCorrection { type: KILL kill { framework_id { value: "f" * 120 } executor_id { value: "e" } } }
    kill = b"\x0a\x7a\x0a\x78" + b"f" * 120 + b"\x12\x03\x0a\x01e"
    assert wire.qos_kill("f" * 120, "e") == b"\x08\x01\x12\x81\x01" + kill


def test_a_container_id_is_the_third_field() -> None:
    assert wire.qos_kill("f", "e", "c").endswith(b"\x1a\x03\x0a\x01c")


def test_messages_are_preceded_by_their_length() -> None:
    assert wire.framed([b"ab", b"c"]) == b"\x02\0\0\0ab\x01\0\0\0c"
