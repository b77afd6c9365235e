"""Command lines, environments and the expansion of variables, by Kubernetes' rules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import ImageFailure, InvalidTask
from executor.images.model import ImageConfig
from executor.names import TaskId
from executor.spec import command, expansion
from executor.spec.model import ContainerSpec, RuntimeField


def container(**fields: Any) -> ContainerSpec:
    return ContainerSpec(name="app", image="app:1", task_id=TaskId("t"), **fields)


# Kubernetes, "Define a Command and Arguments for a Container": the image's, the container's, what runs
RULES = [
    (("ep",), ("cmd",), None, None, ["ep", "cmd"]),
    (("ep",), ("cmd",), ("c",), None, ["c"]),
    (("ep",), ("cmd",), None, ("a",), ["ep", "a"]),
    (("ep",), ("cmd",), ("c",), ("a",), ["c", "a"]),
    (None, ("cmd",), None, None, ["cmd"]),
    (None, ("cmd",), None, ("a",), ["a"]),
    (("ep",), None, None, None, ["ep"]),
    (None, None, ("c",), None, ["c"]),
    ((), (), None, ("a",), ["a"]),
]


@pytest.mark.parametrize(("entrypoint", "cmd", "own", "args", "found"), RULES)
def test_what_runs(entrypoint: Any, cmd: Any, own: Any, args: Any, found: list[str]) -> None:
    image = ImageConfig(entrypoint=entrypoint, cmd=cmd)
    assert command.argv(container(command=own, args=args), image, {}) == found


def test_nothing_to_run() -> None:
    with pytest.raises(ImageFailure) as caught:
        command.argv(container(), ImageConfig(), {})
    assert (caught.value.subject, caught.value.hint) == ("image app:1", "give the container a command")


def test_only_the_containers_own_words_and_variables_are_expanded() -> None:
    image = ImageConfig(env=(("A", "image"),), entrypoint=("$(A)",), cmd=("$(A)",))
    assert command.argv(container(), image, {"A": "own"}) == ["$(A)", "$(A)"]
    assert command.argv(container(args=("$(A)", "$(B)", "$$(A)")), image, {"A": "own"}) == [
        "$(A)",
        "own",
        "$(B)",
        "$(A)",
    ]
    plain = container(command=("$(A)", "$$"), expand_variables=False)
    assert command.argv(plain, image, {"A": "own"}) == ["$(A)", "$$"]


def test_variables_see_those_before_them() -> None:
    env = (("A", "1"), ("B", "$(A)$(C)"), ("C", "3"), ("A", "2$(A)"), ("D", "$(A)"))
    assert command.own_variables(container(env=env), {}) == {"A": "21", "B": "1$(C)", "C": "3", "D": "21"}
    assert command.own_variables(container(env=env, expand_variables=False), {})["B"] == "$(A)$(C)"


def test_fields_of_the_node_are_filled_in_as_they_are() -> None:
    spec = container(env=(("IP", RuntimeField("status.podIP")), ("URL", "http://$(IP)")))
    assert command.own_variables(spec, {"status.podIP": "$$1"}) == {"IP": "$$1", "URL": "http://$$1"}
    with pytest.raises(InvalidTask) as caught:
        command.own_variables(spec, {})
    assert caught.value.subject == "container app, variable IP"


def test_precedence_of_the_environment() -> None:
    image = ImageConfig(env=(("PATH", "/img"), ("HOSTNAME", "img"), ("A", "img"), ("B", "img")))
    assert command.environment({"A": "own"}, image, "web-0") == ["PATH=/img", "HOSTNAME=web-0", "A=own", "B=img"]
    assert command.environment({"HOSTNAME": "own"}, ImageConfig(), "web-0") == [
        f"PATH={command.DEFAULT_PATH}",
        "HOSTNAME=own",
    ]


# From Kubernetes' documentation of Container.args
EXPANSIONS = {
    "$(A)": "1",
    "$$(A)": "$(A)",
    "$$$(A)": "$1",
    "$$$$(A)": "$$(A)",
    "$(NO)": "$(NO)",
    "$A ${A} $": "$A ${A} $",
    "$(A": "$(A",
    "$(A$(A)": "$(A$(A)",
    "$()": "empty",
    "a$$b$": "a$b$",
    "$(A)$(B)": "1$(A)",
}


@pytest.mark.parametrize(("text", "found"), EXPANSIONS.items())
def test_expansion(text: str, found: str) -> None:
    assert expansion.expand(text, {"A": "1", "B": "$(A)", "": "empty"}) == found


def by_characters(text: str, variables: dict[str, str]) -> str:
    """The same rules, read character by character."""
    found, at = "", 0
    while at < len(text):
        rest = text[at:]
        if rest.startswith("$$"):
            found, at = found + "$", at + 2
        elif rest.startswith("$(") and ")" in rest:
            name = rest[2 : rest.index(")")]
            found, at = found + variables.get(name, f"$({name})"), at + len(name) + 3
        else:
            found, at = found + rest[0], at + 1
    return found


@given(st.text("$()AB \n", max_size=20))
def test_expansion_of_anything(text: str) -> None:
    variables = {"A": "1", "B": "$(A)"}
    assert expansion.expand(text, variables) == by_characters(text, variables)
