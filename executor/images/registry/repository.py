"""One repository of a registry, over its endpoints: what a tag means, documents, layers.

Blocking code, to be used from threads. Endpoints are tried in order; an error tells what each of them said.
Source: OCI distribution specification, "Pull".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from executor import bounded_json
from executor.containerd.types import Descriptor
from executor.errors import ImageFailure
from executor.images.failures import PullFailure
from executor.images.manifest import MANIFEST_TYPES, SCHEMA_1_TYPES
from executor.images.reference import DIGEST, Reference
from executor.images.registry.answer import Answer
from executor.images.registry.credentials import Credential, matching
from executor.images.registry.hosts import Endpoint
from executor.images.registry.limits import SILENCE_S
from executor.images.registry.proxies import NO_PROXIES, Proxies
from executor.images.registry.tokens import Login
from executor.images.registry.transport import PROXY_HINT, Transport

T = TypeVar("T")
DOCUMENT_MAX_BYTES: Final = bounded_json.IMAGE_DOCUMENT.size_bytes
_ACCEPT = ", ".join((*MANIFEST_TYPES, *sorted(SCHEMA_1_TYPES)))


@dataclass(frozen=True)
class Part:
    """A layer from `offset` on, as the endpoint with this URL sends it. The caller closes the answer."""

    offset: int
    answer: Answer
    endpoint: str


class Repository:
    """`credentials` are all that this node has; each endpoint gets only those of its own host. `plain_http`: the hosts
    that the operator lists for HTTP without TLS. `ask_helper`: what a credential helper of the node has for a host.
    """

    def __init__(
        self,
        reference: Reference,
        endpoints: Sequence[Endpoint],
        credentials: Sequence[Credential],
        *,
        plain_http: Collection[str] = (),
        proxies: Proxies = NO_PROXIES,
        ask_helper: Callable[[str], Credential | None] = lambda _: None,
        timeout_s: float = SILENCE_S,
    ) -> None:
        self.domain = reference.domain
        self._name = str(reference)
        self._reference = reference
        self._sites = [
            _Site(reference, Transport(each, proxies, timeout_s=timeout_s), credentials, plain_http, ask_helper)
            for each in endpoints
        ]

    def close(self) -> None:
        """Close all connections."""
        for site in self._sites:
            site.close()

    def resolve(self) -> Descriptor:
        """What the name means now. Raises PullFailure, ImageFailure."""
        return self._each(lambda site: site.resolve(), resolving=not self._reference.digest)

    def document(self, target: Descriptor, *, is_manifest: bool) -> bytes:
        """An index, a manifest or a configuration, proven by its digest. Raises PullFailure, ImageFailure."""
        if target.size_bytes > DOCUMENT_MAX_BYTES:
            message = f"its document {target.digest} has {target.size_bytes} bytes, more than {DOCUMENT_MAX_BYTES}"
            raise ImageFailure(message, subject=self._name)
        return self._each(lambda site: site.document(target, is_manifest=is_manifest))

    def layer(self, target: Descriptor, offset: int, *, broken: Collection[str] = ()) -> Part:
        """A layer from `offset` on, or from 0 if the registry sends all of it. Endpoints whose URL is in `broken`, for
        they began and failed, are asked after the others. Raises PullFailure.
        """
        return self._each(lambda site: site.layer(target, offset), after=broken)

    def has_other(self, broken: Collection[str]) -> bool:
        """Whether layers may be asked of an endpoint whose URL is not in `broken`."""
        return any(site.endpoint.pulls and site.endpoint.url not in broken for site in self._sites)

    def _each(self, work: Callable[[_Site], T], *, resolving: bool = False, after: Collection[str] = ()) -> T:
        """The result of the first endpoint that has one. Errors name the registry's own failure before its mirrors'."""
        sites = [each for each in self._sites if (each.endpoint.resolves if resolving else each.endpoint.pulls)]
        found: dict[int, PullFailure] = {}
        for number, site in sorted(enumerate(sites), key=lambda each: each[1].endpoint.url in after):
            try:
                return work(site)
            except PullFailure as failure:
                found[number] = failure
        failures = [found[number] for number in sorted(found)]
        if not failures:
            message = "no endpoint of its registry may be asked for this"
            raise PullFailure(message, subject=self._name, hint="see `capabilities` in its hosts.toml")
        *others, last = failures
        words = "".join(f"; {other.subject}: {other.message}" for other in others)
        wait_s = max(each.retry_after_s for each in failures)
        raise PullFailure(
            f"{last.subject}: {last.message}{words}",
            subject=f"image {self._name}",
            hint=last.hint or _HINTS.get(last.status, ""),
            retry_after_s=wait_s,
            status=last.status,
            lasting=all(each.is_lasting for each in failures),
        ) from last


_HINTS = {
    401: "give credentials of the registry: imagePullSecrets, or [images] docker_config on the node",
    407: PROXY_HINT,
    403: "the registry's credentials do not allow this",
    404: "is the name right, and is it pushed?",
    429: "the registry limits how often it is asked",
}


class _Site:
    """One endpoint, as it serves this repository."""

    def __init__(
        self,
        reference: Reference,
        transport: Transport,
        credentials: Sequence[Credential],
        plain_http: Collection[str],
        ask_helper: Callable[[str], Credential | None],
    ) -> None:
        self.endpoint = endpoint = transport.endpoint
        self._reference = reference
        self._transport = transport
        is_registry = endpoint.is_of(reference.domain)
        self._query = "" if is_registry else f"?ns={reference.domain}"
        host = reference.domain if is_registry else endpoint.host
        own = matching(credentials, host, reference.path)
        plain = {endpoint.host, *plain_http} if endpoint.is_plain else set()
        self._login = Login(transport, reference.path, own, lambda: ask_helper(host), plain_hosts=plain)

    def close(self) -> None:
        self._transport.close()

    def resolve(self) -> Descriptor:
        """A HEAD where the registry answers it with a digest: registries count each GET of a manifest as a pull."""
        with self._ask("HEAD", f"manifests/{self._reference.version}", {"accept": _ACCEPT}) as answer:
            digest, size, kind = answer.header("docker-content-digest"), answer.length_bytes, _media_type(answer)
            if answer.status == 200 and DIGEST.fullmatch(digest) and size:
                self._check_demanded(digest)
                return Descriptor(kind, digest, size)
        with self._good("GET", f"manifests/{self._reference.version}", {"accept": _ACCEPT}) as answer:
            data, kind = answer.body(DOCUMENT_MAX_BYTES), _media_type(answer)
        algorithm = (self._reference.digest or "sha256:").partition(":")[0]
        digest = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
        self._check_demanded(digest)
        return Descriptor(kind, digest, len(data))

    def _check_demanded(self, digest: str) -> None:
        wanted = self._reference.digest
        if wanted and digest != wanted:
            raise PullFailure(f"gives {digest} for {wanted}", subject=self.endpoint.url, lasting=True)

    def document(self, target: Descriptor, *, is_manifest: bool) -> bytes:
        kind = "manifests" if is_manifest else "blobs"
        headers = {"accept": f"{target.media_type or _ACCEPT}, */*" if is_manifest else "*/*"}
        with self._good("GET", f"{kind}/{target.digest}", headers) as answer:
            data = answer.body(DOCUMENT_MAX_BYTES)
            algorithm, _, value = target.digest.partition(":")
            if hashlib.new(algorithm, data).hexdigest() != value:
                raise answer.failure(f"sends another document than {target.digest}", lasting=True)
        return data

    def layer(self, target: Descriptor, offset: int) -> Part:
        headers = {"range": f"bytes={offset}-"} if offset else {}
        answer = self._ask("GET", f"blobs/{target.digest}", headers)
        if answer.status == 206 and answer.header("content-range").startswith(f"bytes {offset}-"):
            return Part(offset, answer, self.endpoint.url)
        if answer.status == 200:
            return Part(0, answer, self.endpoint.url)
        with answer:
            raise answer.refusal()

    def _good(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        answer = self._ask(method, path, headers)
        if answer.status != 200:
            with answer:
                raise answer.refusal()
        return answer

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        url = f"{self.endpoint.url}/{self._reference.path}/{path}{self._query}"
        return self._login.ask(lambda more: self._transport.ask(method, url, {**headers, **more}))


def _media_type(answer: Answer) -> str:
    return answer.header("content-type").partition(";")[0].strip()
