"""The commands of this program: `executor.cli.<package>.<command>`.

main.py              the entry: the list of commands, global options, errors; exits.py: the exit codes
session.py           what every command has: the configuration and the executors of this node
pods/, history/, revocation/, lending/, node/, launch/   the commands, with what several of a package share
executors/           finds and asks the executors of this node
printing/            tables, JSON and other forms of output
page/                the HTML pages of `serve` and `report`
complete.py          names for a shell's completion; shells.py: the scripts of shells
moments.py           times as people type them
"""
