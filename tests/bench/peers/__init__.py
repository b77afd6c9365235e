"""What people would use instead, where it is installed: a program each, or CRI's calls.

Each peer has `up`, which returns when all containers of these names run, and `down`, which removes them. The programs
that are not on this machine come from `packaging/prepare --with bench`.
"""
