import subprocess
import sys

LOADED = """\
import sys
import knarr.daemon.assemble, knarr.api.build
print(*(name for name in sys.modules if name.split(".")[0] in {"h2", "hpack", "hyperframe"}))
print(*(name for name in sys.modules if name.startswith("knarr.buildkit.")))
"""


def test_a_daemon_that_nobody_builds_with_does_not_carry_the_gateway() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []
