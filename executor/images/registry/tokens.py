"""The login of this node at one repository: the Authorization that a registry accepts.

Several threads use one Login at the same time. Credentials are tried one after the other, the most specific first, and
at last none at all; one that worked once is used again when its token has expired.
Source: distribution, docs/spec/auth/token.md and oauth.md.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Final
from urllib.parse import urlencode, urlsplit

from executor import bounded_json
from executor.errors import Failure
from executor.images.failures import PullFailure
from executor.images.registry.answer import Answer
from executor.images.registry.challenge import Challenge, choose, parse
from executor.images.registry.credentials import Credential
from executor.images.registry.transport import Transport
from executor.images.registry.urls import origin, where

ANSWER_MAX_BYTES: Final = 256 << 10
TOKEN_MAX: Final = 64 << 10
_RENEWALS = 4
"""How many expired tokens are renewed within one request."""
_CLIENT = "mesos-pod-executor"
_DENIED = (400, 401, 403)


class Login:
    """`path` is the repository's. `more`: one more credential, asked for when those that are known are refused; its
    Failure is reported only if the registry refuses what is left. A token server may be asked over HTTP if it is one of
    `plain_hosts`.
    """

    def __init__(
        self,
        transport: Transport,
        path: str,
        credentials: Sequence[Credential],
        more: Callable[[], Credential | None],
        *,
        plain_hosts: Collection[str],
    ) -> None:
        self._transport = transport
        self._path = path
        self._left: list[Credential | None] = [*credentials, None]
        self._more: Callable[[], Credential | None] | None = more
        self._trouble = ""
        self._plain_hosts = plain_hosts
        self._lock = threading.Lock()
        self._header = ""
        self._worked = False

    def ask(self, send: Callable[[dict[str, str]], Answer]) -> Answer:
        """`send` with an Authorization until the registry takes one, or nothing is left to try. Raises PullFailure.

        Only the endpoint's own challenge is answered: that of a redirect's target would get the registry's password.
        """
        tries = len(self._left) + _RENEWALS
        while True:
            used, tries = self._header, tries - 1
            answer = send({"authorization": used} if used else {})
            if answer.status == 401 and not self._transport.is_own(answer.url):
                with answer:
                    message = (
                        "answers 401; the registry redirects to it, and it gets none of the registry's credentials"
                    )
                    raise PullFailure(message, subject=where(answer.url), lasting=True)
            if answer.status != 401:
                self._worked = self._worked or answer.status < 400
                return answer
            challenge = choose(parse(answer.headers("www-authenticate")))
            try:
                with self._lock:
                    again = used != self._header or self._next(challenge)
            except PullFailure as failure:
                answer.close()
                raise self._told(failure) from failure
            if not again or not tries:
                if self._trouble:
                    with answer:
                        raise self._told(answer.refusal())
                return answer
            answer.close()

    def _told(self, failure: PullFailure) -> PullFailure:
        """With what is wrong with the credential helper."""
        if not self._trouble:
            return failure
        return PullFailure(
            f"{failure.message}; {self._trouble}",
            subject=failure.subject,
            hint=failure.hint,
            retry_after_s=failure.retry_after_s,
            status=failure.status,
            lasting=failure.is_lasting,
        )

    def _next(self, challenge: Challenge | None) -> bool:
        """Whether there is a new Authorization to try."""
        if challenge is None:
            return False
        if self._header and not self._worked and self._left:
            self._left.pop(0)  # it was refused
        self._worked = False
        while self._left:
            self._ask_for_more()
            header = self._answer(challenge, self._left[0])
            if header and header != self._header:
                self._header = header
                return True
            self._left.pop(0)
        return False

    def _ask_for_more(self) -> None:
        if self._left != [None] or self._more is None:
            return
        more, self._more = self._more, None
        try:
            found = more()
        except Failure as error:
            self._trouble = str(error)
            return
        if found is not None and not found.is_empty:
            self._left.insert(0, found)

    def _answer(self, challenge: Challenge, credential: Credential | None) -> str:
        """The Authorization for a challenge; empty if these credentials do not give one."""
        if challenge.scheme == "basic":
            return basic(credential) if credential is not None and credential.username else ""
        try:
            token = self._token(challenge, credential)
        except PullFailure as failure:
            if failure.status not in _DENIED or len(self._left) == 1:
                raise
            return ""
        return f"Bearer {token}"

    def _token(self, challenge: Challenge, credential: Credential | None) -> str:
        realm = challenge.realm
        scheme = origin(realm)[0]
        if scheme != "https" and not (scheme == "http" and urlsplit(realm).netloc in self._plain_hosts):
            message = f"the registry names the token server {where(realm)}, which is not asked over HTTPS"
            hint = "list it as HOST:PORT in [images] plain_http if it may get passwords without TLS"
            raise PullFailure(message, subject=where(self._transport.endpoint.url), hint=hint, lasting=True)
        with self._fetch(realm, challenge, credential) as answer:
            if answer.status != 200:
                raise answer.refusal()
            return _read_token(answer)

    def _fetch(self, realm: str, challenge: Challenge, credential: Credential | None) -> Answer:
        service = challenge.parameters.get("service", "")
        scope = f"repository:{self._path}:pull"
        if credential is not None and credential.identity_token:
            form = {
                "grant_type": "refresh_token",
                "service": service,
                "client_id": _CLIENT,
                "scope": scope,
                "refresh_token": credential.identity_token,
            }
            kind = {"content-type": "application/x-www-form-urlencoded"}
            return self._transport.ask("POST", realm, kind, body=urlencode(form).encode())
        query = urlencode({"service": service, "scope": scope} if service else {"scope": scope})
        url = f"{realm}{'&' if urlsplit(realm).query else '?'}{query}"
        return self._transport.ask("GET", url, {} if credential is None else {"authorization": basic(credential)})


def basic(credential: Credential) -> str:
    """An Authorization header (RFC 7617)."""
    text = f"{credential.username}:{credential.password}"
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def _read_token(answer: Answer) -> str:
    try:
        value = bounded_json.loads(answer.body(ANSWER_MAX_BYTES), bounded_json.LINE)
        token = value.get("token") or value.get("access_token")
    except (ValueError, AttributeError):
        token = None
    if not isinstance(token, str) or not 0 < len(token) <= TOKEN_MAX or not (token.isascii() and token.isprintable()):
        raise answer.failure("the registry's token server sends no token")
    return token
