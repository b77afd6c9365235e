"""What the C library has of memory after many threads have allocated some, and after large blocks were freed."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import pytest

PROGRAM = """
import concurrent.futures, ctypes, sys
from executor.process import malloc

if sys.argv[1] == "kept little":
    malloc.keep_little()
with concurrent.futures.ThreadPoolExecutor(8) as threads:
    list(threads.map(lambda _: b"x" * 2000, range(8 * 1000)))
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fdopen(1, b"w"))
bytes(16 << 20)  # freed: glibc's own limit is 16 MiB from now on
libc.malloc_info(0, file)
large = bytes(8 << 20)
libc.malloc_info(0, file)
libc.fflush(file)
"""


@pytest.mark.parametrize(("mode", "little"), [("kept little", True), ("as it is", False)])
def test_threads_share_one_arena_and_large_blocks_are_mapped(mode: str, little: bool) -> None:
    found = subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=True)
    before, after = ElementTree.fromstring(f"<both>{found.stdout}</both>")
    found_little = len(after.findall("heap")) == 1, mapped_bytes(after) - mapped_bytes(before) >= 8 << 20
    assert found_little == (little, little), found.stdout


def mapped_bytes(info: ElementTree.Element) -> int:
    (total,) = info.findall("total[@type='mmap']")
    return int(total.attrib["size"])
