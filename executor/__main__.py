"""The program's entry: the executor when a Mesos agent starts it, else one of the commands.

Neither path imports the other's libraries: the executor must be subscribed in a fraction of a second.
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    if len(sys.argv) == 1 and "MESOS_EXECUTOR_ID" in os.environ:
        from executor.agent import run

        return run(os.environ)
    from executor.cli.main import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
