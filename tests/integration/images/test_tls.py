"""Certificates of a registry and of the hosts that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.images.failures import PullFailure
from executor.images.registry.hosts import Endpoint
from tests.support.registry import certificates
from tests.unit.images.registry.scripted import Reply, Scripted
from tests.unit.images.registry.test_trust import CONTENT, layer, redirects_to, repository


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tls")
    certificates(directory)
    return directory


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_a_verification_that_is_skipped_for_one_host_is_not_skipped_for_others(tls: Path) -> None:
    with (
        Scripted(lambda _: Reply(200, body=CONTENT), tls=tls) as target,
        Scripted(redirects_to(lambda: f"https://{target.host}/blob"), tls=tls) as registry,
    ):
        skipping = Endpoint(f"https://{registry.host}/v2", skip_verify=True)
        with pytest.raises(PullFailure, match=r"CERTIFICATE_VERIFY_FAILED"):
            layer(repository(registry.host, skipping))
        assert target.seen == []

        known = Endpoint(f"https://{registry.host}/v2", skip_verify=True, ca=(tls / "ca.crt",))
        assert layer(repository(registry.host, known)) == CONTENT
