"""What a framework's variables may do against the operator's file: nothing, everything, or make it stricter."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.config import Config, load, sections
from executor.config.for_executor import Judged, judge, read_for_executor
from executor.config.role_limit import RoleLimit
from executor.config.trust import KEYS, Trust, rule
from executor.config.values import default_file, variable
from executor.errors import InvalidConfig

KEY_NAMES = [(name, each.name) for name, cls in sections().items() for each in fields(cls)]


def asked(text: str, **variables: str) -> Judged:
    environ = {f"MESOS_POD_EXECUTOR_{name}": value for name, value in variables.items()}
    return judge(text, environ, source="f.toml")


def test_every_rule_is_for_a_key_that_there_is() -> None:
    assert {f"{section}.{key}" for section, key in KEY_NAMES} >= KEYS
    assert all(str(rule(section, key)) for section, key in KEY_NAMES)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("NODE_RUN_DIR", "/tmp/x"),
        ("NODE_STATE_DIR", "/tmp/x"),
        ("CNI_PLUGIN_DIRS", "/tmp/x"),
        ("CNI_CONFIG_DIR", "/tmp/x"),
        ("CONTAINERD_ADDRESS", "/tmp/x"),
        ("CGROUPS_ROOT", "/x"),
        ("DNS_HOSTS_DIR", "/tmp/x"),
        ("DNS_DOMAIN", "evil"),
        ("LOG_TARGET", "syslog"),
        ("CONTROL_METRICS_PORT", "80"),
        ("PRESSURE_ENABLED", "true"),
        ("REVOCATION_LAST_STEP", "shutdown"),
        ("NODE_RUN_DIR", "relative, which would be refused in a file"),
        ("CGROUPS_ROOT", "\udcff"),
    ],
)
def test_the_operators_keys_are_out_of_reach(name: str, text: str) -> None:
    judged = asked("", **{name: text})
    assert judged.config == Config()
    (one,) = judged.ineffective
    section, _, key = name.lower().partition("_")
    assert (one.variable, one.key) == (f"MESOS_POD_EXECUTOR_{name}", f"{section}.{key}")
    assert one.in_force in (
        str(getattr(getattr(Config(), section), key)),
        "/usr/lib/cni, /usr/libexec/cni, /opt/cni/bin",
    )
    assert f"write [{section}] {key} in f.toml" in one.hint
    assert judged.faults == ()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("LOG_LEVEL", "debug", "debug"),
        ("LOG_FORMAT", "json", "json"),
        ("PODS_TERMINATION_GRACE_S", "3600", 3600.0),
        ("PODS_DEFAULT_IMAGE", "own", "own"),
    ],
)
def test_a_frameworks_own_choice(name: str, text: str, expected: object) -> None:
    section, _, key = name.lower().partition("_")
    judged = asked("[log]\nlevel = 'error'\nformat = 'console'\n[pods]\ndefault_image = 'x'\n", **{name: text})
    assert getattr(getattr(judged.config, section), key) == expected
    assert (judged.ineffective, judged.faults) == ((), ())


@pytest.mark.parametrize(
    ("file", "name", "text", "expected"),
    [
        ("[pods]\npids_max = 100", "PODS_PIDS_MAX", "50", 50),
        ("[pods]\npids_max = 100", "PODS_PIDS_MAX", "0", None),
        ("[pods]\npids_max = 100", "PODS_PIDS_MAX", "101", None),
        ("[pods]\npids_max = 0", "PODS_PIDS_MAX", "101", 101),
        ("", "PODS_PIDS_MAX", "16385", None),
        ("", "PODS_START_TIMEOUT_S", "5", 5.0),
        ("", "PODS_START_TIMEOUT_S", "121", None),
        ("", "PODS_MAX_LAUNCHING", "9", None),
        ("", "PODS_LOG_MAX_BYTES", "0", None),
        ("", "PODS_LOG_FILES", "1", 1),
        ("", "REVOCATION_GRACE_S", "1", None),
        ("", "LOG_JOURNAL_MAX_BYTES", "999999999", None),
        ("", "DNS_ENABLED", "false", False),
        ("[dns]\nenabled = false", "DNS_ENABLED", "true", None),
        ("[roles]\nnamespace_to_role = {a = 'x'}", "ROLES_NAMESPACE_TO_ROLE", "b=y", {"a": "x", "b": "y"}),
        ("[roles]\nnamespace_to_role = {a = 'x'}", "ROLES_NAMESPACE_TO_ROLE", "a=y", None),
        ("[roles]\nnamespace_to_role = {a = 'x'}", "ROLES_NAMESPACE_TO_ROLE", "", {"a": "x"}),
    ],
)
def test_a_key_that_can_be_tightened(file: str, name: str, text: str, expected: object) -> None:
    section, _, key = name.lower().partition("_")
    judged = asked(file, **{name: text})
    own = getattr(getattr(load(file, {}), section), key)
    assert getattr(getattr(judged.config, section), key) == (own if expected is None else expected)
    assert [each.key for each in judged.ineffective] == ([f"{section}.{key}"] if expected is None else [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"eng": RoleLimit(4.0, 8 << 30), "ops": RoleLimit(1.0, None)}),  # emptied: nothing is lost
        ("eng=cpus:2", {"eng": RoleLimit(2.0, 8 << 30), "ops": RoleLimit(1.0, None)}),
        ("ops=mem:1Gi,new=cpus:9", {
            "eng": RoleLimit(4.0, 8 << 30), "ops": RoleLimit(1.0, 1 << 30), "new": RoleLimit(9.0, None),
        }),
        ("eng=cpus:5", None),
        ("eng=cpus:1;mem:9Gi", None),
    ],
)  # fmt: skip
def test_role_limits_only_fall(text: str, expected: dict[str, RoleLimit] | None) -> None:
    file = "[roles]\nlimits = {eng = {cpus = 4, mem = '8Gi'}, ops = {cpus = 1}}\n"
    judged = asked(file, ROLES_LIMITS=text)
    assert judged.config.roles.limits == (load(file, {}).roles.limits if expected is None else expected)
    assert len(judged.ineffective) == (expected is None)


def test_a_variable_that_repeats_the_operator_is_silent() -> None:
    same = {"NODE_RUN_DIR": "/run/mesos-pod-executor", "CNI_TIMEOUT_S": "30", "PODS_PIDS_MAX": "16384"}
    assert asked("", **same) == Judged(Config(), (), ())


def test_another_file_is_not_a_frameworks_to_name_by_a_variable(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("[pods]\npids_max = 7\n")
    judged = read_for_executor({"MESOS_POD_EXECUTOR_CONFIG": "/tmp/x"}, file)
    assert judged.config.pods.pids_max == 7
    (one,) = judged.ineffective
    assert (one.variable, one.key, one.in_force) == ("MESOS_POD_EXECUTOR_CONFIG", "--config", str(file))
    assert not read_for_executor({"MESOS_POD_EXECUTOR_CONFIG": str(file)}, file).ineffective


def test_a_file_that_the_command_line_names_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="no such file"):
        read_for_executor({}, tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [("PODS_PIDS_MAX", "many", "is not a whole number"), ("LOG_LEVLE", "x", "did you mean")],
)
def test_what_cannot_be_understood_is_one_error(name: str, text: str, words: str) -> None:
    judged = asked("", **{name: text})
    (fault,) = judged.faults
    assert judged.config == Config() and words in str(fault)
    with pytest.raises(InvalidConfig, match=words):
        read_for_executor({f"MESOS_POD_EXECUTOR_{name}": text}, None)


_VARIABLES = [variable(*each) for each in KEY_NAMES]
_TEXTS = st.one_of(st.text(max_size=8), st.integers(0, 10**6).map(str), st.sampled_from(["true", "false", "/x", ""]))


@given(st.dictionaries(st.sampled_from(_VARIABLES), _TEXTS, max_size=5))
def test_no_variable_touches_a_key_of_the_operator(environ: dict[str, str]) -> None:
    judged = judge(None, environ, source="f.toml")
    for section, key in KEY_NAMES:
        held = rule(section, key)
        value, own = (getattr(getattr(each, section), key) for each in (judged.config, Config()))
        if held.trust is Trust.OPERATOR:
            assert value == own
        elif held.trust is Trust.TIGHTEN:
            assert held.judge(own, value) == value, "what is in force is at least as strict as the default"


def test_the_default_file_says_what_a_framework_may_set() -> None:
    text = default_file(sections())
    assert "(at least 0; at most 4194304) [framework: lower only, 0 is no limit]\n#pids_max" in text
    assert text.count("[framework: ") == len(KEYS) + 1  # the head names the mark


def test_rules_can_be_told_from_each_other() -> None:
    assert str(rule("node", "run_dir")) == "operator only"
    assert str(rule("log", "level")) == "framework: any value"
    assert str(replace(rule("pods", "pids_max"), direction="lower only")) == "framework: lower only"
