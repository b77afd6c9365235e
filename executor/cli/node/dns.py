"""`dns`: the node's names: the server, the synchroniser, and a look at what is published."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from executor.cli.exits import Exit
from executor.cli.printing import output
from executor.cli.session import Session, Subcommands, json_option, pass_session
from executor.config import Config
from executor.dns.hostsdir import HostsDir
from executor.dns.names import Zones, parse_hosts
from executor.errors import NotFound
from executor.node import claims as owners


@click.group(
    "dns", cls=Subcommands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@json_option
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """Names of pods and Mesos tasks: serve them, keep them, list them (which is done without a command)."""
    if context.invoked_subcommand is None:
        context.invoke(listing, as_json=as_json)


@command.command("run")
@click.option("--print", "only_print", is_flag=True, help="Print the command line instead.")
@pass_session
def run(session: Session, *, only_print: bool) -> None:
    """Become the node's name server.

    That is a dnsmasq on the addresses of [dns] listen; mesos-pod-executor-dns.service runs this.
    """
    from executor.dns import dnsmasq

    loaded = session.configuration()
    listen = _listen(loaded)
    if only_print:
        output.line(" ".join(dnsmasq.arguments(loaded.dns, listen)))
        return
    _hosts(loaded).ensure()
    dnsmasq.become(loaded.dns, listen)


@command.command("config")
@pass_session
def configuration(session: Session) -> None:
    """Print what another dnsmasq needs.

    For the configuration of one that runs on this node anyway.
    """
    from executor.dns import dnsmasq

    output.line(dnsmasq.configuration(session.configuration().dns).rstrip())


@command.command("sync")
@click.option("--once", is_flag=True, help="End as soon as the names are current.")
@pass_session
def sync(session: Session, *, once: bool) -> None:
    """Keep the names of Mesos tasks.

    They are learnt from [dns] mesos; mesos-pod-executor-dns-sync.service runs this.
    """
    from executor import log
    from executor.dns import sync as synchroniser
    from executor.dns.tasks import Tasks
    from executor.mesos import operator

    loaded = session.configuration()
    log.configure(loaded.log)
    section, hosts, run_dir = loaded.dns, _hosts(loaded), Path(loaded.node.run_dir)
    zones = Zones(section.domain, section.cluster_domain)
    tasks = Tasks(
        zones,
        lambda container: _is_here(container, run_dir, hosts),
        hold_s=section.hold_s,
        namespace_to_role=loaded.roles.namespace_to_role,
    )
    source = operator.Source(section.mesos, operator.credential(Path(section.credential_file)), section.interval_s)
    synchroniser.run(hosts, tasks, source.follow, endpoints=source.endpoints, pause_s=section.interval_s, once=once)


@command.command("list")
@json_option
@pass_session
def listing(session: Session, *, as_json: bool) -> None:
    """List the names on this node, one file a line."""
    hosts = _hosts(session.configuration())
    files = [_file(hosts, owner, name) for owner, name in hosts.files()]
    if as_json:
        output.json_document({"names": files})
    else:
        output.table(("owner", "object", "ips", "names"), (tuple(file.values())[:4] for file in files))


@command.command("check")
@json_option
@pass_session
def check(session: Session, *, as_json: bool) -> int:
    """See whether names are answered.

    A name is published for a moment, and every address of this node's server is asked for it.
    """
    from executor.dns.probe import probe

    loaded = session.configuration()
    listen = _listen(loaded)
    if not listen:
        raise NotFound("there is no address to ask", subject="[dns] listen", hint="see mesos-pod-executor dns run")
    found = [probe(_hosts(loaded), server, loaded.dns.domain) for server in listen]
    if as_json:
        output.json_document({"servers": [asdict(each) for each in found]})
    else:
        rows = ((each.server, each.appeared_ms, each.gone_ms, each.error) for each in found)
        output.table(("server", "appeared_ms", "gone_ms", "error"), rows)
    if failed := [each.server for each in found if each.error]:
        output.note(
            f"{', '.join(failed)}: does not serve this node's names (see mesos-pod-executor dns run, dns config)"
        )
        return Exit.FAILURE
    return Exit.OK


def _hosts(loaded: Config) -> HostsDir:
    return HostsDir(Path(loaded.dns.hosts_dir))


def _listen(loaded: Config) -> tuple[str, ...]:
    """The configured addresses, or the nameservers that the networks give to their pods and tasks."""
    if loaded.dns.listen:
        return loaded.dns.listen
    from executor.cni.config.catalog import Catalog

    networks = Catalog(Path(loaded.cni.config_dir)).networks()
    found = [server for network in networks for plugin in network.plugins for server in _nameservers(plugin)]
    return tuple(dict.fromkeys(found))


def _nameservers(plugin: dict[str, Any]) -> list[str]:
    dns = plugin.get("dns")
    servers = dns.get("nameservers") if isinstance(dns, dict) else None
    return [str(each) for each in servers] if isinstance(servers, list) else []


def _is_here(container: str, run_dir: Path, hosts: HostsDir) -> bool:
    """Whether a Mesos container is an executor of this node, living or not yet reaped: by its owner file, or by its
    mark among the names if it has another run_dir.
    """
    if not container:
        return False
    return (run_dir / f"{container}{owners.SUFFIX}").exists() or bool(hosts.marked(container))


def _file(hosts: HostsDir, owner: str, name: str) -> dict[str, Any]:
    try:
        note, pairs = parse_hosts(hosts.read(owner, name))
    except NotFound:  # it went between the two looks
        note, pairs = "", ()
    ips, names = (list(dict.fromkeys(column)) for column in zip(*pairs, strict=True)) if pairs else ([], [])
    return {"owner": owner, "object": name, "ips": ips, "names": names, "note": note}
