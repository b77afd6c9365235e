"""What registries and archives hold, and the files that say how a registry is asked."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path

from executor.errors import ImageFailure, InvalidConfig, InvalidInput
from executor.images import layouts, manifest, reference
from executor.images.archive import Archive
from executor.images.node_platform import node_platforms
from executor.images.registry import challenge, credentials, hosts
from executor.oci.users import Accounts, user_ids
from tests.fuzz import pods

_PLATFORMS = node_platforms()


def image_document(data: bytes) -> None:
    """An index, a manifest or a configuration, as a registry sends them."""
    with suppress(ImageFailure):
        value = manifest.document(data, subject="image")
        kind = value.get("mediaType")
        if manifest.is_index(kind if isinstance(kind, str) else "", value):
            manifest.choices(value, _PLATFORMS, subject="image")
        elif "layers" in value:
            found = manifest.manifest_of(value, subject="image")
            for layer in found.layers:
                manifest.check_layer(layer, subject="image")
        manifest.chain_ids(manifest.diff_ids(value, subject="image"))
        image = manifest.image_config(value, subject="image")
        pods.with_image(image)


def archive(data: bytes) -> None:
    """An archive of images, as `docker save` and `skopeo` write them."""
    with tempfile.NamedTemporaryFile(prefix="fuzz-", suffix=".tar") as file:
        file.write(data)
        file.flush()
        with suppress(ImageFailure), Archive(Path(file.name)) as opened:
            for image in layouts.images(opened):
                for blob in image.blobs:
                    json.dumps([image.name, blob.labels]).encode()


def archived_documents(data: bytes) -> None:
    """The same with documents of its own: a JSON object of member names and their documents."""
    try:
        members = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(members, dict):
        return
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, document in members.items():
            content = (document if isinstance(document, str) else json.dumps(document)).encode(errors="replace")
            info = tarfile.TarInfo(name.encode(errors="replace").decode()[:90] or "x")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    archive(made.getvalue())


def accounts(data: bytes) -> None:
    """passwd and group of an image, and its user; a line of % divides them."""
    user, _, rest = data.decode(errors="replace").partition("\n%\n")
    passwd, _, group = rest.partition("\n%\n")
    with suppress(ImageFailure):
        ids = user_ids(user, Accounts(passwd, group), subject="image")
        assert all(0 <= each < 1 << 32 for each in (ids.uid, ids.gid, *ids.groups)), ids


def hosts_toml(data: bytes) -> None:
    """hosts.toml of a registry."""
    default = hosts.of_registry("example.com")
    with suppress(InvalidConfig):
        for each in hosts.parse(data.decode(errors="replace"), Path("/certs.d/example.com"), default):
            assert isinstance(each.is_of("example.com"), bool)


def docker_config(data: bytes) -> None:
    """config.json of docker, in the node's file and in a pull secret."""
    with suppress(InvalidConfig):
        credentials.parse_helpers(data, subject="config.json").of("docker.io")
    with suppress(InvalidConfig):
        known = credentials.parse_docker_config(data, subject="config.json")
        credentials.matching(known, "registry.example:5000", "team/app")


def registry_words(data: bytes) -> None:
    """A header of a registry, and a reference of an image."""
    text = data.decode("latin-1")
    challenge.choose(challenge.parse([text]))
    name = data.decode(errors="replace")
    with suppress(InvalidInput, ImageFailure):
        parsed = reference.parse(name)
        assert reference.parse(str(reference.normalise(name))).repository == parsed.repository
    reference.candidates(name)
    reference.is_full(name)
