"""Pulls from Debian's docker-registry: authentication, TLS, mirrors, what is stored, and the faults of networks."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from executor.containerd import Containerd
from executor.errors import ImageFailure, InvalidConfig
from executor.images.failures import PullFailure
from executor.images.pulling.puller import pull
from executor.images.pulling.verifier import VerificationRefused
from executor.images.pulling.wire import Progress, Request, Settings
from executor.images.registry.credentials import parse_docker_config
from executor.images.store import ImageStore
from tests.support.images import ImageSpec, digest_of, gzipped
from tests.support.registry import USER, Registry, docker_config
from tests.support.registry_front import Fault, Front

pytestmark = pytest.mark.root
SIZE = 3 << 20


def fresh(base: str = "busybox") -> ImageSpec:
    """With a layer of its own: containerd shares what it has between the namespaces of the tests."""
    return ImageSpec("unused", cmd=("/bin/app",), files={"big": os.urandom(SIZE)}, base=base)


def layer(image: ImageSpec, number: int = 1) -> str:
    """The digest of a layer, as it is pushed."""
    return digest_of(gzipped(image.layers()[number]))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("plain"), tls=False) as registry:
        yield registry


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("secure"), password=True) as registry:
        yield registry


@pytest.fixture
def app(plain: Registry) -> ImageSpec:
    """What team/app:1 of `plain` is."""
    image = fresh()
    plain.push("team/app", "1", image)
    return image


@pytest.fixture
def front(plain: Registry) -> Iterator[Front]:
    with Front(plain) as front:
        yield front


@dataclass
class Node:
    """One node: its containerd and its operator's files."""

    client: Containerd
    store: ImageStore
    settings: Settings
    told: list[Progress]

    async def pull(self, name: str, **changes: object) -> Progress:
        """`credentials`: a config.json; other changes are of the settings."""
        credentials = parse_docker_config(str(changes.pop("credentials", "{}")), subject="test")
        settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        return await pull(self.client, self.store, Request(name, settings, credentials), self.told.append)

    def hosts(self, host: str, text: str) -> None:
        directory = Path(self.settings.hosts_dir) / host
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "hosts.toml").write_text(text)

    def log_in(self, text: str) -> None:
        Path(self.settings.docker_config).write_text(text)

    def trust(self, registry: Registry) -> None:
        self.hosts(registry.host, f'ca = "{registry.ca}"\n')


@pytest.fixture
async def here(client: Containerd, tmp_path: Path, plain: Registry) -> Node:
    settings = Settings(
        client.address,
        client.namespace,
        str(tmp_path / "run"),
        str(tmp_path / "certs.d"),
        str(tmp_path / "config.json"),
        plain_http=(plain.host,),
    )
    return Node(client, ImageStore(client), settings, [])


@pytest.mark.parametrize("compression", ["gzip", "zstd", ""])
async def test_a_pulled_image_is_stored_and_unpacked(
    here: Node, app: ImageSpec, plain: Registry, compression: str
) -> None:
    digest = plain.push("forms/app", f"v{compression}", app, compression=compression, index=True)  # type: ignore[arg-type]
    name = f"{plain.host}/forms/app:v{compression}"

    done = await here.pull(name)

    image = await here.store.lookup(name)
    assert (done.phase, done.digest, image.digest, image.config.cmd) == ("done", digest, digest, ("/bin/app",))
    assert await here.client.snapshots.exists(image.chain_id)
    assert done.layers == done.layers_done == 2
    assert done.bytes == done.total_bytes >= done.fetched_bytes > SIZE
    assert [each.phase for each in here.told][-1] == "done"
    assert await here.client.leases.list() == ()


async def test_what_is_there_is_not_fetched_again(here: Node, app: ImageSpec, front: Front) -> None:
    name = f"{front.host}/team/app:1"
    await here.pull(name, plain_http=(front.host,))
    front.seen.clear()

    done = await here.pull(name, plain_http=(front.host,))

    assert (done.phase, done.fetched_bytes) == ("done", 0)
    assert [method for method, _, _ in front.seen] == ["HEAD"]


async def test_a_pulled_image_outlives_the_garbage_collection(here: Node, app: ImageSpec, plain: Registry) -> None:
    name = f"{plain.host}/team/app:1"
    await here.pull(name)
    lease = await here.client.leases.create("any", expire_s=None)
    await here.client.leases.delete(lease, sync=True)

    fresh = ImageStore(here.client)
    image = await fresh.lookup(name)
    assert await here.client.snapshots.exists(image.chain_id)
    await here.client.images.delete(image.name, sync=True)
    assert not await here.client.snapshots.exists(image.chain_id)


async def test_an_image_by_digest(here: Node, app: ImageSpec, plain: Registry) -> None:
    digest = plain.push("team/app", "1", app)

    await here.pull(f"{plain.host}/team/app@{digest}")
    await here.pull(f"{plain.host}/team/app:1@{digest}")
    assert (await here.store.lookup(f"{plain.host}/team/app@{digest}")).digest == digest
    with pytest.raises(PullFailure, match="404"):
        await here.pull(f"{plain.host}/team/app@sha256:{'0' * 64}")


async def test_tls_by_the_ca_of_hosts_toml_and_a_password(here: Node, secure: Registry) -> None:
    name = f"{secure.host}/team/app:1"
    with pytest.raises(PullFailure, match=r"CERTIFICATE_VERIFY_FAILED.*hosts\.toml"):
        await here.pull(name)

    secure.push("team/app", "1", fresh())
    here.trust(secure)
    with pytest.raises(PullFailure, match=r"401.*imagePullSecrets") as caught:
        await here.pull(name)
    assert caught.value.is_lasting
    with pytest.raises(PullFailure, match="401") as caught:
        await here.pull(name, credentials=docker_config(secure.host, password="wrong word"))
    assert "wrong word" not in str(caught.value)

    assert (await here.pull(name, credentials=docker_config(secure.host))).phase == "done"


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
async def test_the_nodes_own_credentials_and_a_skipped_verification(here: Node, secure: Registry) -> None:
    here.hosts(secure.host, "skip_verify = true")
    here.log_in(docker_config(secure.host))
    secure.push("team/app", "1", fresh())

    wrong = docker_config(secure.host, password="expired")  # of the task: tried first, and refused
    assert (await here.pull(f"{secure.host}/team/app:1", credentials=wrong)).phase == "done"


async def test_https_is_never_given_up_by_itself(here: Node, app: ImageSpec, plain: Registry) -> None:
    with pytest.raises(PullFailure, match="plain_http"):
        await here.pull(f"{plain.host}/team/app:1", plain_http=())


async def test_a_mirror_is_asked_first_and_the_registry_when_it_fails(
    here: Node, app: ImageSpec, front: Front, plain: Registry
) -> None:
    here.hosts("r.example", f'server = "http://{plain.host}"\n[host."http://{front.host}"]\n')
    front.faults = [Fault("/", times=1000, status=500)]

    assert (await here.pull("r.example/team/app:1")).phase == "done"
    assert front.seen[0][1].startswith("/v2/team/app/manifests/1?ns=r.example")

    front.faults, front.seen = [], []
    await here.client.images.delete("r.example/team/app:1", sync=True)
    await here.pull("r.example/team/app:1")
    assert any("/blobs/" in path for _, path, _ in front.seen)


async def test_a_mirror_that_may_not_resolve_serves_layers_only(
    here: Node, app: ImageSpec, front: Front, plain: Registry
) -> None:
    mirror = f'[host."http://{front.host}"]\ncapabilities = ["pull"]\n'
    here.hosts("r.example", f'server = "http://{plain.host}"\n{mirror}')

    await here.pull("r.example/team/app:1")
    assert not [path for _, path, _ in front.seen if "/manifests/1" in path]
    assert [path for _, path, _ in front.seen if "/blobs/" in path]


async def test_a_bearer_token(here: Node, app: ImageSpec, plain: Registry) -> None:
    with Front(plain, token=True) as front:
        name, settings = f"{front.host}/team/app:1", {"plain_http": (front.host,)}
        with pytest.raises(PullFailure, match="401"):
            await here.pull(name, **settings)

        assert (await here.pull(name, credentials=docker_config(front.host), **settings)).phase == "done"
        asked = [path for _, path, _ in front.seen if path.startswith("/token")]
        assert "scope=repository%3Ateam%2Fapp%3Apull" in asked[-1]
        assert len(front.tokens) == 1  # one for all of its requests


async def test_an_expired_token_is_renewed(here: Node, app: ImageSpec, plain: Registry) -> None:
    with Front(plain, token=True) as front:
        front.faults = [Fault("/blobs/", status=401, headers={
            "www-authenticate": f'Bearer realm="http://{front.host}/token",service="tests"'
        })]  # fmt: skip
        credentials = docker_config(front.host)
        done = await here.pull(f"{front.host}/team/app:1", credentials=credentials, plain_http=(front.host,))
    assert done.phase == "done"
    assert len(front.tokens) == 2


async def test_a_cut_connection_goes_on_where_it_ended(here: Node, app: ImageSpec, front: Front) -> None:
    big = layer(app)
    front.faults = [Fault(f"/blobs/{big}", cut_after=2_000_000)]

    done = await here.pull(f"{front.host}/team/app:1", plain_http=(front.host,))

    asked = [text for _, path, text in front.seen if big in path]
    assert asked[0] == "" and asked[1].startswith("bytes=") and int(asked[1][6:-1]) > 1_000_000
    assert SIZE <= done.fetched_bytes <= done.total_bytes


async def test_a_failed_pull_leaves_what_it_has_to_the_next(here: Node, app: ImageSpec, front: Front) -> None:
    name, big = f"{front.host}/team/app:1", layer(app)
    front.faults = [Fault(f"/blobs/{big}", cut_after=2_000_000), Fault(f"/blobs/{big}", status=404)]
    with pytest.raises(PullFailure, match="404"):
        await here.pull(name, plain_http=(front.host,))

    front.faults, front.seen = [], []
    done = await here.pull(name, plain_http=(front.host,))
    assert next(text for _, path, text in front.seen if big in path).startswith("bytes=")
    assert done.fetched_bytes < done.total_bytes / 2
    assert done.phase == "done"


async def test_a_registry_without_ranges_starts_again(here: Node, app: ImageSpec, front: Front) -> None:
    big = layer(app)
    front.faults = [
        Fault(f"/blobs/{big}", cut_after=2_000_000),
        Fault(f"/blobs/{big}", ignores_range=True),
    ]
    assert (await here.pull(f"{front.host}/team/app:1", plain_http=(front.host,))).phase == "done"


async def test_other_content_is_refused_and_not_kept(here: Node, app: ImageSpec, front: Front) -> None:
    name, data = f"{front.host}/team/app:1", gzipped(app.layers()[1])
    other = bytes([data[0] ^ 1]) + data[1:]
    front.faults = [Fault(f"/blobs/{digest_of(data)}", body=other)]

    with pytest.raises(PullFailure, match="came with other content"):
        await here.pull(name, plain_http=(front.host,))
    assert (await here.pull(name, plain_http=(front.host,))).phase == "done"


async def test_another_manifest_than_the_digest_is_refused(here: Node, app: ImageSpec, front: Front) -> None:
    front.faults = [Fault("/manifests/", times=100, body=b"{}")]
    with pytest.raises(PullFailure, match="another document"):
        await here.pull(f"{front.host}/team/app:1", plain_http=(front.host,))


async def test_a_huge_manifest_is_not_read(here: Node, app: ImageSpec, front: Front) -> None:
    kind = "application/vnd.oci.image.manifest.v1+json"
    front.faults = [
        Fault("/manifests/", status=405),
        Fault("/manifests/", times=9, status=200, headers={"content-type": kind}, body=b"[" * (5 << 20)),
    ]
    with pytest.raises(PullFailure, match="more than 4194304"):
        await here.pull(f"{front.host}/team/app:1", plain_http=(front.host,))


async def test_a_deep_manifest_is_refused(here: Node, app: ImageSpec, front: Front) -> None:
    kind = "application/vnd.oci.image.manifest.v1+json"
    data = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
    answer = Fault("/manifests/", times=9, status=200, headers={"content-type": kind}, body=data)
    front.faults = [Fault("/manifests/", status=405), answer]
    with pytest.raises(ImageFailure, match="nests deeper"):
        await here.pull(f"{front.host}/team/app:1", plain_http=(front.host,))


async def test_schema_1_is_named(here: Node, app: ImageSpec, front: Front) -> None:
    kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    data = json.dumps({"schemaVersion": 1, "name": "team/app", "fsLayers": []}).encode()
    answer = Fault("/manifests/", times=9, status=200, headers={"content-type": kind}, body=data)
    front.faults = [Fault("/manifests/", status=405), answer]
    with pytest.raises(ImageFailure, match="schema 1") as caught:
        await here.pull(f"{front.host}/team/app:1", plain_http=(front.host,))
    assert not isinstance(caught.value, PullFailure)


async def test_a_registry_that_limits_its_clients_is_waited_for(here: Node, app: ImageSpec, front: Front) -> None:
    front.faults = [Fault("/blobs/", status=429, headers={"retry-after": "1"})]
    assert (await here.pull(f"{front.host}/team/app:1", plain_http=(front.host,))).phase == "done"

    front.faults = [Fault("/manifests/", times=9, status=429, headers={"retry-after": "90"})]
    with pytest.raises(PullFailure, match="limits how often") as caught:
        await here.pull(f"{front.host}/team/app:1", plain_http=(front.host,))
    assert caught.value.retry_after_s == 90 and not caught.value.is_lasting


async def test_a_slow_registry_is_waited_for(here: Node, app: ImageSpec, front: Front, plain: Registry) -> None:
    plain.push("slow/app", "1", ImageSpec("unused", base=secrets.token_hex(4)))
    front.faults = [Fault("/blobs/", pause_s=0.001)]
    assert (await here.pull(f"{front.host}/slow/app:1", plain_http=(front.host,))).phase == "done"


async def test_many_pulls_of_one_image_are_one(here: Node, app: ImageSpec, front: Front, tmp_path: Path) -> None:
    name = f"{front.host}/team/app:1"
    done = await asyncio.gather(*(here.pull(name, plain_http=(front.host,)) for _ in range(4)))

    assert [each.phase for each in done] == ["done"] * 4
    assert sorted(each.fetched_bytes > 0 for each in done) == [False] * 3 + [True]
    assert len([path for method, path, _ in front.seen if layer(app) in path and method == "GET"]) == 1
    assert any(each.phase == "waiting" for each in here.told)


async def test_images_that_share_a_layer_fetch_it_once(
    here: Node, app: ImageSpec, front: Front, plain: Registry
) -> None:
    app = fresh(secrets.token_hex(4))
    base = layer(app, 0)
    plain.push("team/app", "1", app)
    plain.push("team/other", "1", replace(app, files={"other": os.urandom(1 << 20)}))
    names = [f"{front.host}/team/{name}:1" for name in ("app", "other")]
    await asyncio.gather(*(here.pull(name, plain_http=(front.host,)) for name in names))

    assert len([path for method, path, _ in front.seen if base in path and method == "GET"]) == 1


async def test_the_verifier_says_yes_or_no(here: Node, app: ImageSpec, front: Front, tmp_path: Path) -> None:
    program, said = tmp_path / "verify", tmp_path / "said"
    program.write_text(f'#!/bin/sh\necho "$@" > {said}\necho "not signed by us"\ntest "$1" = --team\n')
    program.chmod(0o755)
    name = f"{front.host}/team/app:1"
    changes = {"plain_http": (front.host,)}

    with pytest.raises(VerificationRefused, match="not signed by us"):
        await here.pull(name, verifier=(str(program), "--other"), **changes)
    assert not list(front.layers())
    done = await here.pull(name, verifier=(str(program), "--team"), **changes)
    assert said.read_text().split() == ["--team", name, done.digest]


async def test_a_verifier_that_does_not_answer_says_no(
    here: Node, app: ImageSpec, plain: Registry, tmp_path: Path
) -> None:
    program = tmp_path / "verify"
    program.write_text("#!/bin/sh\nsleep 1000 & wait\n")
    program.chmod(0o755)
    name = f"{plain.host}/team/app:1"

    with pytest.raises(VerificationRefused, match=r"did not end within 0\.5 s"):
        await here.pull(name, verifier=(str(program),), verifier_timeout_s=0.5)
    with pytest.raises(VerificationRefused, match="No such file"):
        await here.pull(name, verifier=(str(tmp_path / "absent"),))


async def test_unusable_files_of_the_operator_are_named(here: Node, app: ImageSpec, plain: Registry) -> None:
    name = f"{plain.host}/team/app:1"
    here.hosts(plain.host, 'ca = "missing.crt"')
    with pytest.raises(InvalidConfig, match=r"certificate.*No such file"):
        await here.pull(name)
    here.hosts(plain.host, "nonsense")
    with pytest.raises(InvalidConfig, match="TOML"):
        await here.pull(name)


async def test_a_missing_image_and_a_missing_registry(here: Node, app: ImageSpec, plain: Registry) -> None:
    with pytest.raises(PullFailure, match=r"404.*is the name right"):
        await here.pull(f"{plain.host}/team/app:absent")
    with pytest.raises(PullFailure, match="cannot be reached") as caught:
        await here.pull("127.0.0.1:1/team/app:1", plain_http=("127.0.0.1:1",))
    assert not caught.value.is_lasting
    assert USER not in str(caught.value)
