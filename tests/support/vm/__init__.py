"""A machine with cgroup v2 alone and systemd: `python -m tests.support.vm -- COMMAND` runs COMMAND there as root.

qemu emulates the machine without help of the host's processor (TCG), so nothing of the host has to be changed for it,
and it is some eleven times slower than the host. It boots Debian with the packages that the project needs, has no
network, and its disk forgets what was written. The checkout is at its place in CHECKOUT with a venv of the guest's own
Python. What COMMAND prints comes over a serial port at once, and its exit code is this program's.

    __main__.py   the command line
    image.py      the guest's root, kernel and disk, kept in the user's cache directory
    project.py    the second disk, with the checkout and what to run
    machine.py    qemu
    guest/        what runs in the guest: a unit and its program
"""
