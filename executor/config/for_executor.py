"""The configuration of an executor that a Mesos agent started: the operator's file, and what a framework may add to it.

A variable that its key does not allow takes no effect and is reported; the executor goes on with the operator's value,
because the pods of a framework are better run within the operator's limits than not at all. A variable that cannot be
understood ends this executor and no other: what its framework wants is unknown. trust.py has the rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from executor.config import DEFAULT_PATH, Config, build, load, sections
from executor.config.file import read_text
from executor.config.trust import Trust, rule
from executor.config.values import PATH_VARIABLE, Values, decode_variable, name_of, own_variables
from executor.errors import InvalidConfig


@dataclass(frozen=True, slots=True)
class Ineffective:
    """A variable of the framework that takes no effect: the key that it is for, and the value in force."""

    variable: str
    key: str
    in_force: str
    reason: str
    hint: str


@dataclass(frozen=True)
class Judged:
    """`faults` are variables that cannot be understood; `config` is without them."""

    config: Config
    ineffective: tuple[Ineffective, ...]
    faults: tuple[InvalidConfig, ...]


@dataclass(frozen=True)
class _Judgement:
    source: str
    own: Config
    values: Values = field(default_factory=dict)
    ineffective: list[Ineffective] = field(default_factory=list)

    def take(self, variable: str, text: str) -> None:
        """Raises InvalidConfig."""
        section, key = name_of(variable, sections())
        held, in_force = rule(section, key), getattr(getattr(self.own, section), key)
        if held.trust is Trust.OPERATOR:
            if not _repeats(variable, text, in_force):
                self._refuse(variable, section, key, "only the operator sets this key, in the file")
            return
        asked = decode_variable(variable, text, sections())
        value = held.judge(in_force, asked)
        if value is None:
            problem = f"a framework may only make this key stricter ({held.direction}), and {_shown(asked)} is looser"
            self._refuse(variable, section, key, problem)
        else:
            self.values.setdefault(section, {})[key] = value

    def _refuse(self, variable: str, section: str, key: str, reason: str) -> None:
        hint = f"remove the variable from the ExecutorInfo, or write [{section}] {key} in {self.source}"
        in_force = _shown(getattr(getattr(self.own, section), key))
        self.ineffective.append(Ineffective(variable, f"{section}.{key}", in_force, reason, hint))


def judge(text: str | None, environ: Mapping[str, str], *, source: str) -> Judged:
    """What is in force where `text` is the operator's file (None: none) and `environ` an executor's environment.

    Raises InvalidConfig for a fault of the file.
    """
    return judge_over(load(text, {}, source=source), environ, source=source)


def judge_over(own: Config, environ: Mapping[str, str], *, source: str) -> Judged:
    """As `judge`, where `own` is the operator's configuration."""
    judgement = _Judgement(source, own)
    faults = []
    for variable in own_variables(environ):
        try:
            judgement.take(variable, environ[variable])
        except InvalidConfig as fault:
            faults.append(fault)
    ineffective = (*_other_file(environ, source), *judgement.ineffective)
    return Judged(_over(judgement.own, judgement.values), ineffective, tuple(faults))


def read_judged(environ: Mapping[str, str], path: Path | None) -> Judged:
    """As `judge`, with the file at `path`, or the default file, which may be missing. Raises InvalidConfig."""
    source = path or DEFAULT_PATH
    return judge(read_text(source, required=path is not None), environ, source=str(source))


def read_for_executor(environ: Mapping[str, str], path: Path | None) -> Judged:
    """As `read_judged`. Raises InvalidConfig for a variable that cannot be understood, too."""
    judged = read_judged(environ, path)
    for fault in judged.faults:
        raise fault
    return judged


def _other_file(environ: Mapping[str, str], source: str) -> Iterator[Ineffective]:
    if environ.get(PATH_VARIABLE, source) not in (source, ""):
        reason = "the file of an executor is named on its command line"
        hint = "remove the variable, or give the executor's command --config FILE"
        yield Ineffective(PATH_VARIABLE, "--config", source, reason, hint)


def _over(own: Config, values: Values) -> Config:
    plain = {name: dict(vars(getattr(own, name))) for name in sections()}
    return build(plain, values)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={each}" for key, each in value.items())
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _repeats(variable: str, text: str, in_force: object) -> bool:
    """Whether a variable only says what holds anyway."""
    try:
        return decode_variable(variable, text, sections()) == in_force
    except InvalidConfig:
        return False
