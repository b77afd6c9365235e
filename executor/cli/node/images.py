"""`images`: the images of this node: listed, pulled, imported, removed."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from executor import log
from executor.cli.exits import Exit
from executor.cli.printing import output, units
from executor.cli.session import Session, Subcommands, json_option, pass_session
from executor.config import Config, LogSection
from executor.errors import ExecutorError, InvalidRequest, NotFound, Refused, reason

if TYPE_CHECKING:
    from executor.containerd import Containerd
    from executor.images.pulling.wire import Progress
    from executor.images.registry.credentials import Credential
    from executor.images.store import ImageStore

T = TypeVar("T")
_PHASES_WITH_BYTES = ("downloading", "unpacking")


@click.group(
    "images", cls=Subcommands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@json_option
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """The images of this node: list them (which is done without a command), pull, import, remove them."""
    if context.invoked_subcommand is None:
        context.invoke(listing, as_json=as_json)


@command.command("ls")
@json_option
@pass_session
def listing(session: Session, *, as_json: bool) -> None:
    """List the images in the executor's containerd namespace."""
    rows = _run(session, _listed)
    if as_json:
        output.json_document({"images": rows})
        return
    output.table(
        ("name", "digest", "size", "origin", "used"),
        (
            (row["name"], row["digest"][:19], units.size(row["size_bytes"]), row["origin"], _used(row))
            for row in rows
        ),
        spare=("digest", "origin"),
    )  # fmt: skip


@command.command("pull")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--credentials", default="", metavar="FILE", help="Credentials, as docker's config.json has them; - reads stdin."
)
@json_option
@pass_session
def pull(session: Session, names: tuple[str, ...], *, credentials: str, as_json: bool) -> int:
    """Pull images from their registries, as a launch does, also those that are on this node already.

    The node's hosts.toml and credentials apply, see [images]. What an earlier pull has fetched is not fetched again.
    """
    own = _credentials(credentials)
    results = [_pulled(session, name, own, as_json=as_json) for name in names]
    if as_json:
        output.json_document({"images": results})
    return Exit.FAILURE if any(each["error"] for each in results) else Exit.OK


@command.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--name", default="", metavar="NAME", help="For the image of an archive that names none.")
@json_option
@pass_session
def import_files(session: Session, files: tuple[str, ...], *, name: str, as_json: bool) -> None:
    """Import images from archives: OCI layouts in a tar, or what `docker save` writes.

    An import ends before it fills the disk ([images] reserve_percent); what it has stored is removed then.
    """
    from executor.images.room import Room
    from executor.images.store import ImageStore

    async def work(containerd: Containerd, loaded: Config) -> list[str]:
        store, section = ImageStore(containerd), loaded.images
        found: list[str] = []
        for file in files:
            room = Room(section.content_dir, section.reserve_percent, subject=file)
            found += await room.within(store.import_archive(file, name=name))
        return found

    found = _run(session, work)
    if as_json:
        output.json_document({"images": found})
    else:
        for image in found:
            output.line(f"imported {output.clean(image)}")


@command.command("rm")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@json_option
@pass_session
def remove(session: Session, names: tuple[str, ...], *, as_json: bool) -> None:
    """Remove images from this node; one that a container uses is not removed."""
    removed = _run(session, lambda containerd, _: _removed(containerd, names))
    if as_json:
        output.json_document({"removed": removed})
    else:
        for image in removed:
            output.line(f"removed {output.clean(image)}")


@command.command("gc")
@click.option("--all", "everything", is_flag=True, help="Remove every unused image that was pulled, full disk or not.")
@click.option("--dry-run", is_flag=True, help="Print what would be removed; from a disk that is too full, all of it.")
@json_option
@pass_session
def collect(session: Session, *, everything: bool, dry_run: bool, as_json: bool) -> None:
    """Remove unused images while the disk is fuller than [images] gc_high_percent, until gc_low_percent.

    The image that was used longest ago goes first. Images that were imported, and pinned ones, stay.
    """
    from executor.images import collection

    async def work(containerd: Containerd, loaded: Config) -> collection.Collected:
        run_dir = Path(loaded.node.run_dir)
        return await collection.collect(
            containerd, loaded.images, run_dir, everything=everything, dry_run=dry_run
        )  # fmt: skip

    done = _run(session, work)
    if as_json:
        output.json_document({"dry_run": dry_run, **asdict(done)})
        return
    for image in done.removed:
        output.line(f"{'would remove' if dry_run else 'removed'} {output.clean(image)}")
    before = "" if dry_run else f", it was {done.before_percent:.0f} %"
    output.line(f"the disk of images is {done.after_percent:.0f} % full{before}")


def _run(session: Session, work: Callable[[Containerd, Config], Awaitable[T]]) -> T:
    loaded = session.configuration()
    log.configure(LogSection(level="error"))

    async def connected() -> T:
        from executor.containerd import Containerd

        async with await Containerd.connect(loaded.containerd.address, loaded.containerd.namespace) as containerd:
            return await work(containerd, loaded)

    return asyncio.run(connected())


async def _listed(containerd: Containerd, _: Config) -> list[dict[str, Any]]:
    from executor.images.collection import look
    from executor.images.store import ImageStore

    store = ImageStore(containerd)
    return [
        {
            "name": image.name,
            "digest": image.digest,
            "size_bytes": await _size_bytes(store, image.name),
            "origin": "imported" if image.pulled_at is None else "pulled",
            "pinned": image.is_pinned,
            "in_use": image.in_use,
            "pulled_at": image.pulled_at,
            "used_at": image.used_at,
        }
        for image in sorted(await look(containerd), key=lambda each: each.name)
    ]


async def _size_bytes(store: ImageStore, name: str) -> int:
    """0 for one whose content is not whole."""
    try:
        return await store.size_bytes(name)
    except ExecutorError:
        return 0


def _used(row: dict[str, Any]) -> str:
    if row["in_use"]:
        return "in use"
    return "-" if row["used_at"] is None else f"{units.age(time.time() - row['used_at'])} ago"


async def _removed(containerd: Containerd, names: tuple[str, ...]) -> list[str]:
    from executor.images.collection import look
    from executor.images.reference import candidates

    images = {image.name: image for image in await look(containerd)}
    removed = []
    for name in names:
        image = next((images[each] for each in candidates(name) if each in images), None)
        if image is None:
            raise NotFound("no such image", subject=name, hint="mesos-pod-executor images ls")
        if image.in_use:
            raise Refused("a container uses it", subject=image.name, hint="mesos-pod-executor ps")
        await containerd.images.delete(image.name, sync=True)
        removed.append(image.name)
    return removed


def _pulled(session: Session, name: str, credentials: tuple[Credential, ...], *, as_json: bool) -> dict[str, Any]:
    from executor.images.pulling.puller import pull as pull_image
    from executor.images.pulling.settings import settings_of
    from executor.images.pulling.wire import Request
    from executor.images.store import ImageStore

    show = _Line(name, quiet=as_json)

    async def work(containerd: Containerd, loaded: Config) -> Progress:
        request = Request(name, settings_of(loaded), credentials)
        return await pull_image(containerd, ImageStore(containerd), request, show.show)

    try:
        done = _run(session, work)
    except ExecutorError as error:
        show.end()
        if not as_json:
            output.note(str(error))
        return {"name": name, "digest": "", "fetched_bytes": 0, "error": str(error)}
    show.end()
    if not as_json:
        output.line(f"pulled {output.clean(name)} {done.digest}, {units.size(done.fetched_bytes)} fetched")
    return {"name": name, "digest": done.digest, "fetched_bytes": done.fetched_bytes, "error": ""}


class _Line:
    """The progress of a pull: one line that is written over on a terminal, else a line for each phase."""

    def __init__(self, name: str, *, quiet: bool) -> None:
        self._name = output.clean(name)
        self._quiet = quiet
        self._phase = ""
        self._is_open = False

    def show(self, progress: Progress) -> None:
        if self._quiet or progress.phase == "done":
            return
        if sys.stderr.isatty():
            width = os.get_terminal_size(sys.stderr.fileno()).columns or 80
            text = f"{self._name}: {describe(progress)}"[: width - 1]
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
            self._is_open = True
        elif progress.phase != self._phase:
            sys.stderr.write(f"{self._name}: {describe(progress)}\n")
        self._phase = progress.phase

    def end(self) -> None:
        if self._is_open:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def describe(progress: Progress) -> str:
    """One line for people."""
    if progress.phase not in _PHASES_WITH_BYTES or not progress.total_bytes:
        return progress.phase
    percent = 100 * progress.bytes // progress.total_bytes
    sizes = f"{units.size(progress.bytes)} of {units.size(progress.total_bytes)}"
    return f"{progress.phase} {percent} %, {sizes}, {progress.layers_done} of {progress.layers} layers"


def _credentials(file: str) -> tuple[Credential, ...]:
    from executor.images.registry.credentials import parse_docker_config
    from executor.images.registry.hosts_dir import FILE_MAX_BYTES

    if not file:
        return ()
    try:
        if file == "-":
            text = sys.stdin.buffer.read(FILE_MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as opened:
                text = opened.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise InvalidRequest(f"cannot be read: {reason(error)}", subject=file) from error
    return parse_docker_config(text, subject=file)
