"""The man pages, from what the program itself says: its commands (click) and its configuration's sections.

Only examples are written by hand (packaging/man/examples.toml), for no code knows what somebody wants to get done.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from inspect import cleandoc
from typing import Final

import click

from assembly.roff import Block, Item, Literal, Page, Section, Text, bold, italic
from executor import config
from executor.cli.exits import MEANINGS
from executor.cli.main import COMMANDS, root
from executor.cli.shells import PROGRAM
from executor.config.values import PATH_VARIABLE, default_file, variable
from preparation.engine import ROOT

EXAMPLES = ROOT / "packaging/man/examples.toml"
CONFIG_PAGE: Final = f"{PROGRAM}.toml"
_CONFIG_REFERENCE: Final = f"{CONFIG_PAGE}(5)"

_AGENT: Final = (
    Text(
        "The Mesos agent starts it from the command of an ExecutorInfo, which `mesos-pod-executor executor-info` "
        "prints. It subscribes to the agent, runs each LAUNCH as one pod through containerd, and keeps regular and "
        "revocable pods in two cgroup subtrees, so that a revocation ends revocable pods only."
    ),
    Text(
        "The commands talk to the executors of this node through their control sockets, and need the rights of the "
        "user that the executor runs as, usually root."
    ),
)
_ENVIRONMENT: Final = (
    Item(
        bold(PATH_VARIABLE),
        "The configuration file that commands read instead of the default one; it must exist. An executor does not "
        "read it: its file is named by --config on its command line.",
    ),
    Item(
        bold("MESOS_POD_EXECUTOR_") + italic("SECTION") + bold("_") + italic("KEY"),
        "Overrides one key of the configuration: a list is written as a,b and a table as k=v,k2=v2. "
        f"{bold(CONFIG_PAGE)}(5) names the variable of each key. An executor takes only those that the key "
        "allows its framework.",
    ),
    Item(
        ", ".join(map(bold, ("MESOS_EXECUTOR_ID", "MESOS_FRAMEWORK_ID", "MESOS_DIRECTORY"))) + " and others",
        "Set by the agent. With them, and without arguments, with --config FILE or with Mesos' own --launcher_dir=DIR, "
        "the program is the executor.",
    ),
)
_FILES: Final = (
    Item(italic(str(config.DEFAULT_PATH)), "The configuration; every default works without it."),
    Item(italic("/run/mesos-pod-executor"), "Control sockets and network namespaces (node.run_dir)."),
    Item(italic("/var/lib/mesos-pod-executor"), "What must survive an executor, such as CNI results (node.state_dir)."),
    Item(italic("$MESOS_SANDBOX/journal.jsonl"), "What one executor did; `mesos-pod-executor events` reads it."),
)
_CONFIGURATION: Final = (
    Text(
        f"A TOML file. Every key has a default that works without the file, and an environment variable that overrides "
        f"it for commands. For an executor a variable, which is its framework's, takes effect only as [framework: ...] "
        f"says; without that mark it never does. A key or a section that is not known is an error. "
        f"`{PROGRAM} check-config` tells what is in force."
    ),
    Text("The executor reads it once, when it starts; a change holds for executors that start later."),
)


def pages() -> list[Page]:
    """One for the program, one for every command, one for the configuration file."""
    examples = tomllib.loads(EXAMPLES.read_text())
    context = click.Context(root, info_name=PROGRAM, **root.context_settings)
    commands = {name: _command(root, context, name) for name in root.list_commands(context)}
    below = [_command_page(name, command, context, examples.get(name, {})) for name, command in commands.items()]
    return [_program_page(commands, context), *below, _config_page()]


def _command(group: click.Group, context: click.Context, name: str) -> click.Command:
    found = group.get_command(context, name)
    if found is None:
        raise SystemExit(f"build: there is no command {name}")
    return found


def _program_page(commands: Mapping[str, click.Command], context: click.Context) -> Page:
    usage = Text(bold(PROGRAM) + _piece(" [OPTIONS] [COMMAND [ARGUMENTS]]"))
    listed = tuple(Item(bold(name), _brief(command)) for name, command in commands.items())
    sections = [
        Section("SYNOPSIS", (usage,)),
        Section("DESCRIPTION", (*_paragraphs(root.help or ""), *_AGENT)),
        Section("COMMANDS", (*listed, Text("Each has a page of its own, and `--help`."))),
        Section("OPTIONS", tuple(_options(root, context))),
        Section("EXIT STATUS", tuple(Item(bold(str(int(code))), meaning) for code, meaning in MEANINGS.items())),
        Section("ENVIRONMENT", _ENVIRONMENT),
        Section("FILES", _FILES),
        Section("SEE ALSO", (Text(_references([*(f"{PROGRAM}-{name}(1)" for name in commands), _CONFIG_REFERENCE])),)),
    ]
    return Page(PROGRAM, 1, "run Kubernetes-style pods on a Mesos agent", tuple(sections))


def _command_page(name: str, command: click.Command, parent: click.Context, examples: Mapping[str, str]) -> Page:
    context = click.Context(command, parent=parent, info_name=name)
    sections = [
        Section("SYNOPSIS", (Text(f"{bold(f'{PROGRAM} {name}')} {_usage(command, context)}"),)),
        Section("DESCRIPTION", tuple(_paragraphs(command.help or ""))),
        Section("OPTIONS", tuple(_options(command, context))),
    ]
    if isinstance(command, click.Group):
        inner = [(each, _command(command, context, each)) for each in command.list_commands(context)]
        sections.append(Section("COMMANDS", tuple(_inner(each, found, context) for each, found in inner)))
    if examples:
        blocks = [block for line, what in examples.items() for block in (Text(what), Literal((f"$ {line}",)))]
        sections.append(Section("EXAMPLES", tuple(blocks)))
    sections += [
        Section("EXIT STATUS", (Text(f"0 when it was done; {bold(PROGRAM)}(1) lists the others."),)),
        Section("SEE ALSO", (Text(_references([f"{PROGRAM}(1)", _CONFIG_REFERENCE])),)),
    ]
    return Page(f"{PROGRAM}-{name}", 1, _lower(_brief(command)), tuple(sections))


def _inner(name: str, command: click.Command, parent: click.Context) -> Item:
    context = click.Context(command, parent=parent, info_name=name)
    return Item(f"{bold(name)} {_usage(command, context)}", _joined(command.help or ""))


def _usage(command: click.Command, context: click.Context) -> str:
    return " ".join(_piece(piece) for piece in command.collect_usage_pieces(context))


def _options(command: click.Command, context: click.Context) -> Iterator[Block]:
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context)):
            names, meaning = record
            yield Item(re.sub(r"-[\w-]+", lambda match: bold(match[0]), _piece(names)), _joined(meaning))


def _config_page() -> Page:
    """From the commented default file: `# meaning` above each `[section]` and each `#key = default`."""
    sections = [Section("DESCRIPTION", _CONFIGURATION)]
    name, meaning, blocks = "", "", list[Block]()
    for line in default_file(config.sections()).splitlines():
        if line.startswith("["):
            name, blocks = line.strip("[]"), [Text(meaning)]
        elif line.startswith("# "):
            meaning = line.removeprefix("# ")
        elif line.startswith("#"):
            key, _, default = line.removeprefix("#").partition(" = ")
            blocks.append(Item(f"{bold(key)} = {default}", f"{meaning}\n{variable(name, key)}"))
        elif name:
            sections.append(Section(f"[{name}]", tuple(blocks)))
    sections.append(Section(f"[{name}]", tuple(blocks)))
    sections.append(
        Section(
            "FILES", (Item(italic(str(config.DEFAULT_PATH)), "The file, unless --config or a variable names another."),)
        )
    )
    sections.append(Section("SEE ALSO", (Text(_references([f"{PROGRAM}(1)", f"{PROGRAM}-check-config(1)"])),)))
    return Page(CONFIG_PAGE, 5, f"configuration of {PROGRAM}", tuple(sections))


def _paragraphs(text: str) -> Iterator[Block]:
    """click's own marks: an empty line between paragraphs, a line with a backspace above one that keeps its breaks."""
    for paragraph in cleandoc(text).split("\n\n"):
        lines = paragraph.splitlines()
        if lines[:1] == ["\b"]:
            yield Literal(tuple(lines[1:]))
        elif lines:
            yield Text(_joined(paragraph))


def _joined(text: str) -> str:
    return " ".join(text.replace("\b", "").split())


def _piece(word: str) -> str:
    """A name in capitals stands for something: italic."""
    return re.sub(r"\b[A-Z][A-Z=]+\b", lambda match: italic(match[0]), word)


def _brief(command: click.Command) -> str:
    return COMMANDS.get(command.name or "") or command.get_short_help_str(120)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def _references(names: Sequence[str]) -> str:
    return ", ".join(re.sub(r"^[^(]+", lambda match: bold(match[0]), name) for name in names)
