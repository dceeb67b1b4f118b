"""The allocator's settings, in a process of their own: they are for good."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

import knarr

SCRIPT = """
import resource
from knarr.kernel.memory import give_back, recycle_buffers

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

def work():
    for _ in range(50):
        pieces = [bytearray(b"x" * (1 << 20)) for _ in range(8)]

if {recycled}:
    recycle_buffers()
work()
before = faults()
work()
print(faults() - before)
full = resident()
give_back()
print(full - resident())
"""


def run(*, recycled: bool) -> tuple[int, int]:
    source = str(Path(knarr.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(recycled=recycled)],
        env={"PYTHONPATH": source}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    faults, given_back = map(int, done.stdout.split())
    return faults, given_back


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another libc")
def test_buffers_are_used_again_and_given_back_in_the_end() -> None:
    usual, _ = run(recycled=False)
    faults, given_back = run(recycled=True)
    assert faults < usual / 4
    assert given_back > 4 << 20
