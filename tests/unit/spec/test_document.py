"""Bytes of TaskInfo.data: what is a document, and that nothing else gets through or costs much."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import InvalidTask
from executor.spec.reading import bounds
from executor.spec.reading import document as manifest
from tests.unit.pod.samples import encoded


def in_yaml(flat: dict[str, int]) -> bytes:
    """A mapping of plain scalars; PyYAML needs a second for this many."""
    return "".join(f"{key}: {value}\n" for key, value in flat.items()).encode()


KEYS = {f"k{number}": 1 for number in range(30_000)}
FEWER_KEYS = {f"k{number}": 1 for number in range(4_900)}
BILLION = b"a: &a [x, x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (letter, letter, b", ".join([b"*%c" % (letter - 1)] * 10)) for letter in b"bcdefgh"
)
NESTED = b"x0: &x0 []\n" + b"".join(b"x%d: &x%d [*x%d]\n" % (n, n, n - 1) for n in range(1, 60))
MERGED = b"a: &a {" + b", ".join(b"k%d: 1" % n for n in range(900)) + b"}\n" + b"b: [" + b"{<<: *a}, " * 20 + b"]"
WRONG = {
    "not base64": ("a:1", "base64"),
    "base64 with a line break": ("e30=\n", "base64"),
    "no text at all": (7, "base64"),
    "empty": (encoded(b""), "not a mapping"),
    "a list": (encoded([1]), "not a mapping"),
    "a word": (encoded(b"hello"), "not a mapping"),
    "other bytes": (encoded(b"hello\0\xff"), "UTF-8"),
    "broken JSON": (encoded(b'{"a": 1'), "JSON"),
    "two JSON documents": (encoded(b"{}{}"), "JSON"),
    "NaN": (encoded(b'{"a": NaN}'), "NaN"),
    "a key twice, JSON": (encoded(b'{"kind": 1, "kind": 2}'), "'kind' twice"),
    "a key twice, YAML": (encoded(b"kind: 1\nkind: 2"), "'kind' is there twice (line 2)"),
    "half a surrogate pair": (encoded(b'{"a": "\\ud800"}'), "surrogate"),
    "a NUL": (encoded(b'a: "\\0"'), "NUL"),
    "many YAML documents": (encoded(b"a: 1\n---\n" * 101), "101 documents"),
    "a list that is none": (encoded(b'{"kind": "List", "items": {}}'), "no list of items"),
    "a list of words": (encoded(b'{"kind": "List", "items": ["a"]}'), "not a mapping"),
    "broken YAML": (encoded(b"a: 'x\n"), "not YAML"),
    "an unknown alias": (encoded(b"a: *x"), "the anchor 'x' is unknown"),
    "an alias of the document before": (encoded(b"a: &x 1\n---\na: *x"), "unknown"),
    "an alias of what it is in": (encoded(b"a: &x [*x]"), "contains itself"),
    "aliases of aliases": (encoded(BILLION), "10000 values"),
    "aliases of a long text": (encoded(b"a: &x " + b"x" * 200_000 + b"\nb: [*x, *x, *x, *x, *x]"), "larger than"),
    "aliases in each other": (encoded(NESTED), "deeper"),
    "a merge of a text": (encoded(b"<<: x"), "<< needs a mapping"),
    "a merged mapping that grows": (encoded(MERGED), "10000 values"),
    "infinity": (encoded(b"a: .inf"), "a value is not a number of JSON (line 1)"),
    "a number that is too large": (encoded(b"a: 1e999"), "a value is not a number of JSON (line 1)"),
    "a tag of another type": (encoded(b"a: !!int x"), "a value is no int (line 1)"),
    "a directive": (encoded(b"%TAG ! tag:x\n---\na: 1"), "directives"),
    "no key": (encoded(b"~: 1"), "key is not text"),
    "a tag": (encoded(b"a: !!python/object/apply:os.system [x]"), "tag"),
    "a key twice, once as a number": (encoded(b"1: 2\n'1': 3"), "'1' is there twice"),
    "a mapping as key": (encoded(b"? {a: b}\n: c"), "key is not text"),
    "deep JSON": (encoded(b'{"a":' * 2_000), "deeper"),
    "deep but whole JSON": (encoded(b'{"a":' * 50 + b"1" + b"}" * 50), "deeper"),
    "very deep JSON": (encoded(b'{"a":' * 100_000), "more than 10000 values"),
    "many keys, one twice, JSON": (encoded(json.dumps(KEYS)[:-1].encode() + b', "k7": 1}'), "10000 values"),
    "keys, one twice, JSON": (encoded(json.dumps(FEWER_KEYS)[:-1].encode() + b', "k7": 1}'), "'k7' twice"),
    "keys, one twice, YAML": (encoded(in_yaml(FEWER_KEYS) + b"k7: 1\n"), "'k7' is there twice"),
    "many keys, YAML": (encoded(in_yaml(KEYS)), "10000 values"),
    "many values, JSON": (encoded(b'{"a": [' + b"1," * 400_000 + b"1]}"), "10000 values"),
    "many lists, YAML": (encoded(b"a: [" + b"[], " * 40_000 + b"]"), "10000 values"),
    "deep YAML": (encoded(b"[" * 100_000), "deeper"),
    "deep block YAML": (encoded(b"- " * 100_000), "deeper"),
    "gzip cut short": (encoded(gzip.compress(b"a: 1")[:-3]), "complete gzip"),
    "gzip with a tail": (encoded(gzip.compress(b"a: 1") + b"x"), "complete gzip"),
    "gzip of nonsense": (encoded(b"\x1f\x8b\x08" + b"x" * 20), "gzip"),
    "a gzip bomb": (encoded(gzip.compress(b"\0" * 50_000_000)), "larger"),
    "much YAML": (encoded(b"a: " + b"x" * bounds.MAX_YAML_BYTES), "larger"),
    "much JSON": (encoded(b"{" + b" " * bounds.MAX_JSON_BYTES), "larger"),
}


def one(data: Any) -> dict[str, Any]:
    """The only document."""
    found = manifest.documents(data)
    if len(found) != 1:
        raise InvalidTask("is not one document")
    return found[0]


@pytest.mark.parametrize(
    "text", [b"a: 1\n---\n---\nb: 2\n---\n", b'{"kind": "List", "apiVersion": "v1", "items": [{"a": 1}, {"b": 2}]}']
)
def test_several_documents_come_one_after_the_other_or_in_a_list(text: bytes) -> None:
    assert manifest.documents(encoded(text)) == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(("data", "words"), WRONG.values(), ids=WRONG)
def test_what_is_refused_is_refused_with_a_reason_and_soon(data: Any, words: str) -> None:
    start = time.process_time()
    with pytest.raises(InvalidTask) as caught:
        one(data)
    assert caught.value.subject == "TaskInfo.data"
    assert words in caught.value.message
    assert len(str(caught.value)) < 500
    assert time.process_time() - start < 1


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump, lambda value: f"---\n{yaml.safe_dump(value)}..."])
def test_json_and_yaml_say_the_same(write: Any, compress: Any) -> None:
    value = {"a": [1, 2.5, True, None, "x: y"], "b": {"c": "1", "d": "", "e": "multi\nline", "f": "true"}}
    assert one(encoded(compress(write(value).encode()))) == value


def test_aliases_and_merge_keys_are_filled_in() -> None:
    text = b"""
        base: &base {image: a, env: &env [1, 2]}
        one: {<<: *base, image: b}
        two: {image: c, <<: *base}
        three: {<<: [{image: first}, *base]}
        env: *env
        quoted: {"<<": 1}
    """
    found = one(encoded(text))
    assert found["one"] == {"image": "b", "env": [1, 2]}
    assert found["two"] == {"image": "a", "env": [1, 2]}, "as go-yaml 2 has it"
    assert found["three"] == {"image": "first", "env": [1, 2]}
    assert (found["env"], found["quoted"]) == ([1, 2], {"<<": 1})


def test_a_number_without_end_is_named_by_its_path() -> None:
    with pytest.raises(InvalidTask, match="more than 1000 digits") as caught:
        one(encoded(b'{"a": {"b": ' + b"9" * 5000 + b"}}"))
    assert caught.value.subject == "a.b"


def test_keys_become_texts() -> None:
    assert one(encoded(b"{1: a, yes: b, 1.5: c, 0x10: d}")) == {"1": "a", "true": "b", "1.5": "c", "16": "d"}


@pytest.mark.parametrize("text", [b"---\na: 1\n---\n", b"%YAML 1.1\n---\na: 1\n", b"# x\n---\n# y\n---\na: 1\n...\n"])
def test_an_empty_document_is_none(text: bytes) -> None:
    assert one(encoded(text)) == {"a": 1}


def test_a_mapping_in_braces_may_be_yaml() -> None:
    assert one(encoded(b"{a: 1, b: [x]}")) == {"a": 1, "b": ["x"]}


def test_a_byte_order_mark_is_no_obstacle() -> None:
    assert one(encoded("﻿a: 1".encode())) == {"a": 1}


def test_a_long_manifest_does_not_hold_up_the_executor() -> None:
    text = "a:\n" + "- {name: x, v: 1}\n" * 1_900
    start = time.process_time()
    assert len(one(encoded(text.encode()))["a"]) == 1_900
    assert time.process_time() - start < 1


@given(st.binary(max_size=200))
def test_any_bytes_are_a_mapping_or_an_invalid_task(raw: bytes) -> None:
    for data in (base64.b64encode(raw).decode(), base64.b64encode(gzip.compress(raw)).decode(), raw.decode("latin-1")):
        try:
            assert isinstance(one(data), dict)
        except InvalidTask:
            continue


YAML_PIECES = [
    "a",
    ": ",
    "- ",
    "\n",
    "  ",
    "{",
    "}",
    "[",
    "]",
    "&x ",
    "*x",
    "!t ",
    "|",
    ">",
    "'",
    '"',
    "#",
    "---\n",
    "? ",
    "<<",
    "1",
    ",",
]


@given(st.lists(st.sampled_from(YAML_PIECES), max_size=40).map("".join))
def test_any_yaml_is_a_mapping_or_an_invalid_task(text: str) -> None:
    with contextlib.suppress(InvalidTask):
        assert isinstance(one(encoded(text.encode())), dict)


@pytest.mark.parametrize("text", ["!!int hunter2", "!!bool hunter2", "!!float hunter2", "!secret hunter2", ".inf"])
def test_no_value_is_shown_for_it_may_be_a_secret(text: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        one(encoded(f"kind: Secret\nstringData:\n  password: {text}\n".encode()))
    assert "(line 3)" in caught.value.message
    assert "hunter2" not in str(caught.value)
    assert ".inf" not in str(caught.value)
