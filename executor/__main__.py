"""The program's entry: the executor when a Mesos agent starts it, else one of the commands.

Neither path imports the other's libraries: the executor must be subscribed in a fraction of a second.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

CONFIG_OPTION = "--config"
LAUNCHER_OPTION = "--launcher_dir="


def main() -> int:
    """The exit status of the process."""
    if "MESOS_EXECUTOR_ID" in os.environ and (options := executor_options(sys.argv[1:])) is not None:
        from executor.process.run import run

        return run(os.environ, *options)
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not in the background of a script
    if is_heard:  # while modules are imported, and at the very end, Ctrl-C ends this process without a traceback
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from executor.cli.main import main as command

    try:
        if is_heard:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return command()
    finally:
        if is_heard:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def executor_options(arguments: Sequence[str]) -> list[Path] | None:
    """The executor's configuration file, if its command line names one; None where the line is a command's.

    An agent starts its default executor with --launcher_dir (src/slave/slave.cpp), which changes nothing here.
    """
    given = [each for each in arguments if not each.startswith(LAUNCHER_OPTION)]
    match given:
        case []:
            return []
        case [option, file] if option == CONFIG_OPTION and file:
            return [Path(file)]
        case [option] if option.startswith(f"{CONFIG_OPTION}=") and option != f"{CONFIG_OPTION}=":
            return [Path(option.partition("=")[2])]
    return None


if __name__ == "__main__":
    sys.exit(main())
