"""Secrets leave the document, and the script of sed puts the very same words back."""

from __future__ import annotations

import json
import subprocess
import time
from tempfile import NamedTemporaryFile
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from executor.names import TaskId
from executor.oci import secret_words
from executor.spec.model import ContainerSpec, TakenText

NONCE = "0f" * 16
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
ODD = st.sampled_from(
    ["|", "\\", "&", "a\nb", '"', "\\1", "$HOME", "s|a|b|", "é", "'", "\\n", "]", f"{secret_words.MARK}:"]
)


def document(env: list[str], args: list[str]) -> dict[str, object]:
    return {"process": {"env": env, "args": args, "cwd": "/"}, "hostname": "web"}


def filled(hidden: dict[str, Any], script: str) -> Any:
    """What runc reads."""
    with NamedTemporaryFile() as file:
        file.write(script.encode())
        file.flush()
        line = ["sed", "--sandbox", "-f", file.name]
        done = subprocess.run(line, input=json.dumps(hidden).encode(), capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)


def test_variables_and_arguments_are_hidden_as_a_whole() -> None:
    found, script = secret_words.hide(document(["A=1", "P=hunter2"], ["x", "--p=hunter2"]), NONCE)
    mark = f"{secret_words.MARK}:{NONCE}"
    assert found == document([f"{mark}:env"], [f"{mark}:args"])
    assert len(script.splitlines()) == 2


@given(st.lists(TEXTS | ODD, max_size=12))
def test_sed_puts_back_what_was_hidden(words: list[str]) -> None:
    whole = document([f"V{number}={word}" for number, word in enumerate(words)], words)
    assert filled(*secret_words.hide(whole, NONCE)) == whole


def test_as_many_secrets_as_a_container_can_have_take_no_time() -> None:
    whole = document([f"VARIABLE_{number}={number:099}" for number in range(9000)], ["x" * 100_000])
    begin = time.monotonic()
    hidden, script = secret_words.hide(whole, NONCE)
    assert time.monotonic() - begin < 0.5
    assert filled(hidden, script) == whole
    assert time.monotonic() - begin < 5


def test_a_container_has_secrets_where_a_variable_takes_one() -> None:
    def has(*values: str | TakenText) -> bool:
        env = tuple((f"V{number}", value) for number, value in enumerate(values))
        return secret_words.has_secrets(ContainerSpec(name="app", image="x", task_id=TaskId("t"), env=env))

    assert has("a", TakenText("b", secret=True))
    assert not has("a", TakenText("b"), TakenText("", secret=True))
