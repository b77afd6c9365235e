"""What the agent sends: its stream, its events, the MESSAGEs of frameworks."""

from __future__ import annotations

import json
from contextlib import suppress

from executor.errors import InvalidInput, MesosFailure
from executor.mesos import event_json, events
from executor.mesos.recordio import Records
from executor.revocation import messages
from executor.revocation import request as revocation
from executor.spec import object_update, resize
from tests.fuzz import pods


def message(data: bytes) -> None:
    """A framework's MESSAGE, to the request that it asks for."""
    with suppress(InvalidInput):
        verb, document = messages.request(data, ("revoke", "update", "resize"))
        if verb == "revoke":
            made = revocation.parse(document, default_grace_s=5.0, fresh_id="fresh")
            json.dumps([made.id, made.stop.message]).encode()
        elif verb == "update":
            object_update.parse(document)
        else:
            resize.parse(document)


def event(data: bytes) -> None:
    """One record of the agent's event stream."""
    with suppress(MesosFailure):
        raw = event_json.read(data)
        if isinstance(raw, dict):
            found = events.decode(raw, shutdown_grace_s=5.0)
            if isinstance(found, events.Launch):
                pods.launch(found.tasks, group=found.group)


def recordio(data: bytes) -> None:
    """The event stream in pieces; the first byte says how large they are."""
    records, size = Records(1 << 16), 1 + (data[0] if data else 0)
    whole = Records(1 << 16)
    cut, uncut = list[bytes](), list[bytes]()
    with suppress(MesosFailure):
        for begin in range(1, len(data), size):
            cut.extend(records.feed(data[begin : begin + size]))
    with suppress(MesosFailure):
        uncut.extend(whole.feed(data[1:]))
    assert cut == uncut, "the pieces change what is read"
