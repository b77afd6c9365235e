"""The message about a plugin that fails: network, file, plugin, CNI's code and words, and what to do. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from executor.errors import NetworkFailure

INCOMPATIBLE_VERSION = 1
TRY_AGAIN_LATER = 11
INSTALL = "install containernetworking-plugins, or name its directory in [cni] plugin_dirs"

_IPTABLES_BUSY = re.compile(r"ip6?tables .*\bexit status 4\b", re.DOTALL)

_BY_CODE = {
    INCOMPATIBLE_VERSION: "set a cniVersion that every plugin of the network speaks",
    2: "remove the field that the plugin does not support from the configuration",
    3: "the plugin does not know the container; detach and attach again",
    4: "the plugin does not accept its environment: see its documentation",
    5: "the plugin could not read or write: look at the disk of its state",
    6: "the plugin cannot decode the configuration: correct it",
    7: "correct the configuration of the network",
    TRY_AGAIN_LATER: "the plugin asked for patience and did not recover: look at what it depends on",
    50: "the plugin is not available: look at what it depends on",
    51: "the plugin is not available and running pods may be cut off: look at what it depends on",
}
"""CNI specification 1.1.0, section 2, "Error"."""

_BY_WORDS = {
    "no IP addresses available": "enlarge the range, or look for addresses in host-local's dataDir whose owner is gone",
    "did not end within": "look at what the plugin waits for; [cni] timeout_s is the limit",
    "no executable": INSTALL,
    "is not available in range": "ask for a free address of the range, or for none",
    "already been allocated": "an earlier attachment of this id was not undone: detach it",
}


@dataclass(frozen=True)
class PluginError:
    """What a plugin said on stdout, or what was seen of it. `code` is CNI's; None if the plugin did not give one."""

    msg: str
    code: int | None = None
    details: str = ""

    @property
    def is_passing(self) -> bool:
        """Whether the same may work in a moment: so the plugin says, or iptables through it. Its exit status 4 is a
        lack of a resource (xtables.h); with nf_tables it is also that another process has changed the tables meanwhile,
        as when several pods make a node's first chains at the same time.
        """
        return self.code == TRY_AGAIN_LATER or _IPTABLES_BUSY.search(f"{self.msg} {self.details}") is not None

    def __str__(self) -> str:
        text = f"{self.msg} (code {self.code})" if self.code is not None else self.msg
        return f"{text}: {self.details}" if self.details else text


@dataclass(frozen=True)
class Fault:
    plugin: str
    command: str
    error: PluginError

    @property
    def words(self) -> str:
        """The plugin and what it said, without the command."""
        return f"{self.plugin}: {self.error}"

    def __str__(self) -> str:
        return f"plugin {self.plugin} failed on {self.command}: {self.error}"


def network_failure(subject: str, fault: Fault) -> NetworkFailure:
    """`subject` names the network and its file."""
    return NetworkFailure(str(fault), subject=subject, hint=_hint(fault))


def _hint(fault: Fault) -> str:
    text = str(fault.error)
    for words, advice in _BY_WORDS.items():
        if words in text:
            return advice
    return _BY_CODE.get(
        fault.error.code or 0, f"see what {fault.plugin} says; the log at DEBUG has every run of a plugin"
    )
