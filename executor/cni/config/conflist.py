"""One CNI configuration, and what a plugin of it is handed. Pure.

Two kinds are read: CNI's list of plugins, and the Mesos agent's single plugin (`type` at the top). From the latter
the pods' list is derived: same name, same interface plugin, same IPAM, so that both runtimes draw from one pool of
addresses and no address is given out twice. A `mesos-cni-port-mapper` is unwrapped to the interface plugin it
delegates to; host ports are then portmap's.
Source: CNI specification 1.1.0, sections 1 and 3; Mesos's src/slave/containerizer/mesos/isolators/network/cni.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from executor import bounded_json
from executor.cni.attachment import Json
from executor.cni.config.version import CHAINING, SPEC_VERSIONS, at_least, newest_first
from executor.errors import InvalidConfig

MESOS_ARGS = "org.apache.mesos"
HOST_LOCAL_DEFAULT = "/var/lib/cni/networks"
"""host-local's dataDir where a configuration names none."""
_PORT_MAPPER = "mesos-cni-port-mapper"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LIST_KEYS = ("cniVersion", "cniVersions", "name", "args", "disableCheck", "disableGC", "prevResult", "runtimeConfig")


@dataclass(frozen=True)
class Network:
    """`versions`: those the configuration may be used with, newest first. `declared`: its `cniVersion`, "" if it has
    none.
    """

    name: str
    file: str
    plugins: tuple[Json, ...]
    versions: tuple[str, ...]
    declared: str
    derived: bool
    """From the Mesos agent's single plugin."""
    disable_check: bool = False
    beside: Network | None = None
    """The Mesos agent's single plugin of the same name, where this is a list."""

    @property
    def subject(self) -> str:
        """Name and file, for messages."""
        return f"network {self.name} ({self.file})"

    @property
    def types(self) -> tuple[str, ...]:
        """Every executable that will be run, the IPAM plugins too."""
        ipam = [str(each["ipam"]["type"]) for each in self.plugins if _ipam_type(each)]
        return tuple(dict.fromkeys([str(each["type"]) for each in self.plugins] + ipam))

    @property
    def identity(self) -> Json:
        """What must be equal for two runtimes to share the network: the interface plugin without what does not matter
        to addresses.
        """
        return {key: self.plugins[0].get(key) for key in ("type", "bridge", "master", "ipam")}

    def demand_met(self, capability: str) -> bool:
        """Whether a plugin declares the capability."""
        return any((each.get("capabilities") or {}).get(capability) for each in self.plugins)

    def document(self, version: str) -> Json:
        """The list as the cache keeps it and as `plugin_config` takes it."""
        return {
            "cniVersion": version,
            "name": self.name,
            "disableCheck": self.disable_check,
            "disableGC": True,  # the addresses of Mesos tasks are in the same pool and unknown to this runtime
            "plugins": list(self.plugins),
        }


def parse(text: str, file: str) -> Network:
    """Raises InvalidConfig that names the file, the key and the hint."""
    conf = _object(text, file)
    name = conf.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidConfig(
            '"name" is missing or is not a network name',
            subject=file,
            hint='give the network a "name" of [A-Za-z0-9_.-]',
        )
    return _parse_list(conf, name, file) if "plugins" in conf else _derive(conf, name, file)


def network_name(text: str) -> str:
    """The name a faulty configuration claims, where it can be read; else ""."""
    try:
        conf = bounded_json.loads(text)
    except ValueError:
        return ""
    name = conf.get("name") if isinstance(conf, dict) else None
    return name if isinstance(name, str) else ""


def plugin_config(document: Json, index: int, *, capability_args: Json, args: Json, previous: Json | None) -> Json:
    """What plugin number `index` reads from stdin (CNI section 3, "Deriving execution configuration from plugin
    configuration").
    """
    plugin: Json = document["plugins"][index]
    declared = plugin.get("capabilities") or {}
    config = {key: value for key, value in plugin.items() if key != "capabilities"}
    config |= {"name": document["name"], "cniVersion": document["cniVersion"]}
    if runtime := {key: value for key, value in capability_args.items() if declared.get(key)}:
        if plugin["type"] == "dnsname" and "aliases" in runtime:  # it alone wants them by network
            runtime["aliases"] = {document["name"]: runtime["aliases"]}
        config["runtimeConfig"] = runtime
    if args:
        config["args"] = {**(plugin.get("args") or {}), **args}
    if previous is not None:
        config["prevResult"] = previous
    return config


def _object(text: str, file: str) -> Json:
    try:
        conf = bounded_json.loads(text)
    except ValueError as error:
        raise InvalidConfig(f"not JSON: {error}", subject=file, hint="correct the file or remove it") from error
    if not isinstance(conf, dict):
        raise InvalidConfig("not a JSON object", subject=file, hint="correct the file or remove it")
    return conf


def _parse_list(conf: Json, name: str, file: str) -> Network:
    plugins = conf["plugins"]
    if not isinstance(plugins, list) or not plugins:
        raise InvalidConfig('"plugins" is not a list of plugins', subject=file, hint="name at least one plugin")
    checked = tuple(_plugin(each, f"plugins[{number}]", file) for number, each in enumerate(plugins))
    declared = conf.get("cniVersion")
    versions = _list_versions(conf, file)
    if len(checked) > 1 and not at_least(versions[-1], CHAINING):
        raise InvalidConfig(
            f"version {versions[-1]} knows no lists of plugins",
            subject=file,
            hint=f'set "cniVersion" to {CHAINING} or later',
        )
    disable_check = _flag(conf, "disableCheck", file)
    return Network(name, file, checked, versions, str(declared or ""), derived=False, disable_check=disable_check)


def _list_versions(conf: Json, file: str) -> tuple[str, ...]:
    """`cniVersion` and what `cniVersions` adds (CNI section 1, "Version considerations")."""
    listed = conf.get("cniVersions") or []
    declared = [conf["cniVersion"]] if "cniVersion" in conf else []
    claimed = declared + (listed if isinstance(listed, list) else [])
    known = newest_first(each for each in claimed if isinstance(each, str))
    if not known:
        hint = f'set "cniVersion" to one of {", ".join(SPEC_VERSIONS)}'
        raise InvalidConfig(f"no known CNI version in {claimed}", subject=file, hint=hint)
    return known


def _derive(conf: Json, name: str, file: str) -> Network:
    plugin, where = conf, ""
    if conf.get("type") == _PORT_MAPPER:
        inner = conf.get("delegate")
        plugin, where = ({**inner, "args": conf.get("args")} if isinstance(inner, dict) else {}), "delegate"
    checked = {key: value for key, value in _plugin(plugin, where, file).items() if key not in _LIST_KEYS}
    if MESOS_ARGS in (args := plugin.get("args") or {}):
        raise InvalidConfig(f'"args" holds "{MESOS_ARGS}" already', subject=file, hint="remove it: the runtime sets it")
    if args:
        checked["args"] = args
    return Network(
        name, file, (checked,), tuple(reversed(SPEC_VERSIONS)), str(conf.get("cniVersion") or ""), derived=True
    )


def _plugin(value: Any, where: str, file: str) -> Json:
    subject = f"{file}: {where}" if where else file
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str) or not kind or "/" in kind or kind in (".", ".."):
        raise InvalidConfig(
            '"type" is missing or is not the name of a plugin', subject=subject, hint='name the executable in "type"'
        )
    for key in ("ipam", "capabilities", "args"):
        if value.get(key) is not None and not isinstance(value[key], dict):
            raise InvalidConfig(f'"{key}" is not a JSON object', subject=subject, hint="correct the file")
    return dict(value)


def _flag(conf: Json, key: str, file: str) -> bool:
    value = conf.get(key, False)
    if str(value).lower() not in ("true", "false"):
        raise InvalidConfig(f'"{key}" is neither true nor false', subject=file, hint="correct the file")
    return str(value).lower() == "true"


def _ipam_type(plugin: Json) -> bool:
    return bool((plugin.get("ipam") or {}).get("type"))
