"""Secrets leave the document, and the script of sed puts the very same words back."""

from __future__ import annotations

import json
import subprocess
from tempfile import NamedTemporaryFile

from hypothesis import given
from hypothesis import strategies as st

from executor.oci import secret_words

NONCE = "0f" * 16
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
ODD = st.sampled_from(["|", "\\", "&", "a\nb", '"', "\\1", "$HOME", "s|a|b|", "é", "'", "\\n", "]"])


def document(env: list[str], args: list[str]) -> dict[str, object]:
    return {"process": {"env": env, "args": args, "cwd": "/"}, "hostname": "web"}


def test_only_words_with_a_secret_are_hidden() -> None:
    found, script = secret_words.hide(document(["A=1", "P=hunter2"], ["x", "--p=hunter2"]), ["hunter2"], NONCE)
    mark = f"{secret_words.MARK}:{NONCE}"
    assert found == document(["A=1", f"{mark}:0"], ["x", f"{mark}:1"])
    assert "hunter2" not in json.dumps(found)
    assert len(script.splitlines()) == 2
    same = document(["A=1"], ["x"])
    assert secret_words.hide(same, ["hunter2"], NONCE) == (same, "")


@given(st.lists(TEXTS | ODD, min_size=1, max_size=12))
def test_sed_puts_back_what_was_hidden(words: list[str]) -> None:
    whole = document([f"V{number}={word}" for number, word in enumerate(words)], words)
    hidden, script = secret_words.hide(whole, [word for word in words if word], NONCE)
    with NamedTemporaryFile() as file:
        file.write(script.encode())
        file.flush()
        line = ["sed", "--sandbox", "-f", file.name]
        filled = subprocess.run(line, input=json.dumps(hidden).encode(), capture_output=True, check=True, timeout=10)
    assert json.loads(filled.stdout) == whole
