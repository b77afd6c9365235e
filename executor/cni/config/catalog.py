"""The directory of CNI configurations, read again at every question, as the Mesos agent does.

A configuration that cannot be used is a problem of its own network only. Two files of one name are refused, with one
exception: a list beside the agent's single plugin is how an operator chains plugins of his choice, and is used if
both describe the same interface and addresses (else two pools would give out one address twice).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from executor.cni.config.conflist import Network, network_name, parse
from executor.errors import InvalidConfig, NotFound, reason

_SUFFIXES = (".conf", ".conflist", ".json")


@dataclass(frozen=True)
class _File:
    name: str
    network: Network | None
    problem: InvalidConfig | None


class Catalog:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def names(self) -> tuple[str, ...]:
        """The networks that can be used."""
        files = self._read()
        names = sorted({file.name for file in files if file.network})
        return tuple(name for name in names if not isinstance(_chosen(name, files), InvalidConfig))

    def networks(self) -> tuple[Network, ...]:
        """The networks that can be used. Raises InvalidConfig if the directory cannot be read."""
        return tuple(self.get(name) for name in self.names())

    def problems(self) -> tuple[InvalidConfig, ...]:
        """Everything in the directory that cannot be used, one error each."""
        files = self._read()
        broken = [file.problem for file in files if file.problem]
        names = sorted({file.name for file in files if file.network})
        doubled = [
            found for name in names if isinstance(found := _chosen(name, files), InvalidConfig) and found not in broken
        ]
        return tuple(broken + doubled)

    def get(self, name: str) -> Network:
        """Raises InvalidConfig for a network whose configuration is faulty, NotFound for one that is not configured."""
        files = self._read()
        found = _chosen(name, files)
        if isinstance(found, Network):
            return found
        if isinstance(found, InvalidConfig):
            raise found
        nameless = [file.problem for file in files if file.problem and not file.name]
        if nameless:
            problem = nameless[0]
            raise InvalidConfig(
                f"may be the configuration of network {name!r}, but {problem.message}",
                subject=problem.subject,
                hint=problem.hint,
            )
        known = ", ".join(sorted({file.name for file in files if file.network})) or "none"
        raise NotFound("no such CNI network", subject=f"network {name!r}", hint=f"{self._directory} has: {known}")

    def _read(self) -> list[_File]:
        try:
            paths = sorted(path for path in self._directory.iterdir() if path.suffix in _SUFFIXES)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InvalidConfig(
                f"cannot be read: {reason(error)}", subject=str(self._directory), hint="[cni] config_dir"
            ) from error
        return [_load(path) for path in paths]


def _load(path: Path) -> _File:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        problem = InvalidConfig(f"cannot be read: {error}", subject=str(path), hint="correct the file or remove it")
        return _File("", None, problem)
    try:
        network = parse(text, str(path))
    except InvalidConfig as problem:
        return _File(network_name(text), None, problem)
    return _File(network.name, network, None)


def _chosen(name: str, files: list[_File]) -> Network | InvalidConfig | None:
    claims = [file for file in files if file.name == name]
    broken = [file.problem for file in claims if file.problem]
    if broken:
        return broken[0]
    networks = [file.network for file in claims if file.network]
    lists = [network for network in networks if not network.derived]
    if len(networks) < 2:
        return networks[0] if networks else None
    if len(networks) == 2 and len(lists) == 1 and networks[0].identity == networks[1].identity:
        return replace(lists[0], beside=next(network for network in networks if network.derived))
    return InvalidConfig(
        f"network {name} is configured more than once and not alike, also in {networks[1].file}",
        subject=networks[0].file,
        hint="keep one; a list beside the agent's single plugin must have the same type, bridge, master and ipam",
    )
