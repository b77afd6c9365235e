"""Pulls from Debian's docker-registry: authentication, TLS, mirrors, what is stored, and the faults of networks."""

from __future__ import annotations

import asyncio
import os
import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from executor.errors import InvalidConfig
from executor.images.failures import PullFailure
from executor.images.pulling.verifier import VerificationRefused
from executor.images.store import ImageStore
from tests.integration.images.pulls import SIZE, Node, fresh, layer
from tests.support.images import ImageSpec
from tests.support.registry import USER, Registry, docker_config
from tests.support.registry_front import Fault, Front

pytestmark = pytest.mark.root


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


async def test_the_credential_helper_of_the_node_is_asked(here: Node, secure: Registry) -> None:
    here.trust(secure)
    secure.push("team/app", "1", fresh())
    here.log_in('{"credsStore": "not-installed"}')
    with pytest.raises(PullFailure, match=r"401.*docker-credential-not-installed: cannot be run"):
        await here.pull(f"{secure.host}/team/app:1")
    assert (await here.pull(f"{secure.host}/team/app:1", credentials=docker_config(secure.host))).phase == "done"


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
