"""The configuration: defaults, files, variables, and every way to get it wrong."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.config import Config, load, read, sections
from executor.config.values import default_file, variable
from executor.errors import InvalidConfig


def test_every_default_works_without_a_file() -> None:
    config = load(None, {})
    assert config == Config()
    assert config.containerd.namespace == "mesos-pods"
    assert config.cni.plugin_dirs == ("/usr/lib/cni", "/usr/libexec/cni", "/opt/cni/bin")
    assert config.roles.namespace_to_role == {}


def test_defaults_are_within_their_own_limits() -> None:
    uncommented = "\n".join(
        line.removeprefix("#") for line in default_file(sections()).splitlines() if line[1:2] != " "
    )
    assert load(uncommented, {}) == Config()


def test_variables_override_the_file() -> None:
    text = '[log]\nlevel = "warning"\nformat = "json"\n[cni]\nplugin_dirs = ["/a"]\ntimeout_s = 5\n'
    config = load(
        text, {"MESOS_POD_EXECUTOR_LOG_LEVEL": "debug", "MESOS_POD_EXECUTOR_CNI_PLUGIN_DIRS": "/b, /c", "LOG": "x"}
    )
    assert (config.log.level, config.log.format) == ("debug", "json")
    assert config.cni.plugin_dirs == ("/b", "/c")
    assert config.cni.timeout_s == 5.0
    assert type(config.cni.timeout_s) is float


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("PRESSURE_ENABLED", "yes", True),
        ("PRESSURE_ENABLED", "0", False),
        ("PODS_MAX_LAUNCHING", "3", 3),
        ("REVOCATION_GRACE_S", "2.5", 2.5),
        ("ROLES_NAMESPACE_TO_ROLE", "a=eng/dev,b=*", {"a": "eng/dev", "b": "*"}),
        ("PODS_DEFAULT_IMAGE", "", ""),
        ("DNS_MESOS", "master-1.example.org:5050,[::1]:5051", ("master-1.example.org:5050", "[::1]:5051")),
        ("DNS_LISTEN", "10.0.0.1, fd00::1", ("10.0.0.1", "fd00::1")),
        ("CGROUPS_ROOT", "/a/b", "/a/b"),
    ],
)
def test_variables_of_every_type(name: str, text: str, expected: object) -> None:
    config = load(None, {f"MESOS_POD_EXECUTOR_{name}": text})
    section, _, key = name.lower().partition("_")
    assert getattr(getattr(config, section), key) == expected


@pytest.mark.parametrize(
    ("text", "environ", "subject", "words"),
    [
        ("[containrd]\n", {}, "[containrd]", "did you mean containerd?"),
        ("[log]\nlevle = 'info'\n", {}, "log.levle", "did you mean level?"),
        ("[log]\nzzzzzz = 1\n", {}, "log.zzzzzz", "known are level, format, target"),
        ("log = 3\n", {}, "log", "must be a table"),
        ("[log\n", {}, "f.toml", "is not TOML"),
        ("[log]\nlevel = 'loud'\n", {}, "log.level", "one of debug, info, warning, error"),
        ("[log]\nlevel = 1\n", {}, "log.level", "1 is not one of debug, info"),
        ("[pods]\nmax_launching = true\n", {}, "pods.max_launching", "is not a whole number"),
        ("[pods]\nmax_launching = 1.0\n", {}, "pods.max_launching", "is not a whole number"),
        ("[pods]\nmax_launching = 0\n", {}, "pods.max_launching", "0 is not a whole number, at least 1; at most 1000"),
        ("[dns]\ninterval_s = inf\n", {}, "dns.interval_s", "inf is not a number, at least 0.1"),
        ("[dns]\ninterval_s = true\n", {}, "dns.interval_s", "True is not a number"),
        (None, {"MESOS_POD_EXECUTOR_DNS_INTERVAL_S": "inf"}, "DNS_INTERVAL_S", "'inf' is not a number, at least 0.1"),
        (None, {"MESOS_POD_EXECUTOR_PODS_MAX_LAUNCHING": "1001"}, "PODS_MAX_LAUNCHING", "at most 1000"),
        ("[pods]\ntermination_grace_s = inf\n", {}, "pods.termination_grace_s", "is not a number"),
        ("[pods]\ntermination_grace_s = nan\n", {}, "pods.termination_grace_s", "is not a number"),
        ("[control]\nmetrics_port = 65536\n", {}, "control.metrics_port", "at most 65535"),
        ("[cni]\nplugin_dirs = '/a'\n", {}, "cni.plugin_dirs", "a list of texts"),
        ("[cni]\nplugin_dirs = ['relative']\n", {}, "cni.plugin_dirs", "an absolute path"),
        ("[node]\nrun_dir = ''\n", {}, "node.run_dir", "an absolute path"),
        ("[images]\nhttps_proxy = 'proxy:3128'\n", {}, "images.https_proxy", "http://HOST:PORT"),
        ("[images]\nhttps_proxy = 'http://user:secret@proxy'\n", {}, "images.https_proxy", "without a user"),
        ("[containerd]\nnamespace = ''\n", {}, "containerd.namespace", "a name"),
        ("[containerd]\nruntime = 'rnuc'\n", {}, "containerd.runtime", "'rnuc' is not auto, runc, crun, or the abs"),
        ("[containerd]\nruntime = 'usr/bin/crun'\n", {}, "containerd.runtime", "absolute path of a program"),
        ("[containerd]\nruntime = '/usr/bin/crun -v'\n", {}, "containerd.runtime", "without arguments"),
        ("[containerd]\nruntime_revocable = 'Auto'\n", {}, "containerd.runtime_revocable", "auto, runc, crun"),
        (
            "[policy.roles]\na = 'baseline'\nb = {x = 1}\n",
            {},
            "policy.roles",
            "policy.roles: b: x is not a key",
        ),
        ("[policy]\ndefault = 'basline'\n", {}, "policy.default", "f.toml: policy.default: 'basline' is not priv"),
        ("[roles]\nlimits = {a = {cpus = 1}, b = {}}\n", {}, "roles.limits", "roles.limits: b: {} is not a limit"),
        ("[dns]\ndomain = 'a.10'", {}, "dns.domain", "a DNS domain"),
        ("[dns]\ncluster_domain = 'A b'", {}, "dns.cluster_domain", "a DNS domain"),
        ('[dns]\nlisten = ["fe80::1%x y"]', {}, "dns.listen", "a list of IP addresses"),
        ("[roles]\nnamespace_to_role = {a = 1}\n", {}, "roles.namespace_to_role", "a table of texts"),
        ("[pressure]\nenabled = 1\n", {}, "pressure.enabled", "true or false"),
        (None, {"MESOS_POD_EXECUTOR_LOG_LEVLE": "x"}, "MESOS_POD_EXECUTOR_LOG_LEVLE", "MESOS_POD_EXECUTOR_LOG_LEVEL?"),
        (None, {"MESOS_POD_EXECUTOR_PODS_MAX_LAUNCHING": "many"}, "PODS_MAX_LAUNCHING", "is not a whole number"),
        (None, {"MESOS_POD_EXECUTOR_ROLES_NAMESPACE_TO_ROLE": "a"}, "NAMESPACE_TO_ROLE", "is not a table of texts"),
        (None, {"MESOS_POD_EXECUTOR_PRESSURE_ENABLED": "maybe"}, "PRESSURE_ENABLED", "true or false"),
        ('[dns]\nmesos = ["10.0.0.1"]', {}, "dns.mesos", "HOST:PORT"),
        ('[dns]\nmesos = ["10.0.0.1:5050", "http://m:5050"]', {}, "dns.mesos", "HOST:PORT"),
        ('[dns]\nmesos = ["m:70000"]', {}, "dns.mesos", "HOST:PORT"),
        ('[dns]\nlisten = ["eth0"]', {}, "dns.listen", "IP addresses"),
        ('[cgroups]\nroot = "pods"', {}, "cgroups.root", "path of a cgroup"),
        ('[cgroups]\nroot = "/pods/../.."', {}, "cgroups.root", "path of a cgroup"),
    ],
)
def test_what_is_wrong_is_named(text: str | None, environ: dict[str, str], subject: str, words: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        load(text, environ, source="f.toml")
    assert subject in caught.value.subject
    assert words in str(caught.value)


def test_every_wrong_item_of_a_table_is_named_up_to_a_bound() -> None:
    roles = ", ".join(f"r{number} = 'x'" for number in range(12))
    with pytest.raises(InvalidConfig) as caught:
        load(f"[policy]\nroles = {{good = 'baseline', {roles}}}\n", {}, source="f.toml")
    message = str(caught.value)
    assert "r0: 'x' is not privileged" in message and "; r9: 'x' is not privileged" in message
    assert "; and 2 more" in message and "r10" not in message and "good" not in message


def test_no_part_of_the_configuration_can_be_changed() -> None:
    config: Any = load("[roles]\nnamespace_to_role = {a = 'b'}\n", {})
    with pytest.raises(FrozenInstanceError):
        config.log.level = "debug"
    with pytest.raises(TypeError):
        config.roles.namespace_to_role["a"] = "c"


def test_every_field_is_documented_and_has_a_variable_of_its_own() -> None:
    names = [variable(name, each.name) for name, cls in sections().items() for each in fields(cls)]
    assert len(names) == len(set(names))
    for cls in sections().values():
        assert cls.__doc__
        for each in fields(cls):
            assert str(each.metadata["doc"]).endswith(".")


def test_the_default_file_is_toml_that_sets_nothing() -> None:
    text = default_file(sections())
    assert all(not table for table in tomllib.loads(text).values())
    assert load(text, {}) == Config()
    for name, cls in sections().items():
        assert f"[{name}]" in text
        assert all(f"#{each.name} = " in text for each in fields(cls))


def test_the_module_prints_the_default_file() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "executor.config.sections"], capture_output=True, text=True, check=True
    )
    assert printed.stdout == default_file(sections())


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    with pytest.raises(InvalidConfig, match="no such file"):
        read({"MESOS_POD_EXECUTOR_CONFIG": str(missing)})
    missing.write_text('[log]\nlevel = "error"\n')
    assert read({"MESOS_POD_EXECUTOR_CONFIG": str(missing)}).log.level == "error"
    missing.write_bytes(b"\xff")
    with pytest.raises(InvalidConfig, match="cannot be read"):
        read({"MESOS_POD_EXECUTOR_CONFIG": str(missing)})


@given(st.text())
def test_no_text_does_anything_but_load_or_be_refused(text: str) -> None:
    loaded = _load_or_refuse(text, {})
    assert loaded.subject if isinstance(loaded, InvalidConfig) else isinstance(loaded, Config)


_VARIABLES = [variable(name, each.name) for name, cls in sections().items() for each in fields(cls)]


@given(st.dictionaries(st.sampled_from(_VARIABLES), st.text(max_size=20), max_size=3))
def test_no_variable_does_anything_but_load_or_be_refused(environ: dict[str, str]) -> None:
    loaded = _load_or_refuse(None, environ)
    assert not isinstance(loaded, InvalidConfig) or loaded.subject in environ


def _load_or_refuse(text: str | None, environ: dict[str, str]) -> Config | InvalidConfig:
    try:
        return load(text, environ)
    except InvalidConfig as error:
        return error
