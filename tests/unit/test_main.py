"""The programs behind the console script that are not the command line's own."""

import os
import subprocess
import sys


def test_a_reader_that_leaves_is_no_error_of_the_doctors() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "knarr", "doctor"],
            stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")
