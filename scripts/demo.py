"""`make demo`: real containers on knarr's own engine, step by step, each command shown as typed."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
KNARR = TOP / ".venv" / "bin" / "knarr"
IMAGE = "knarr-demo"
WEB = "knarr-demo-web"
PAGE = "ahoy from a container\n"
_BOLD, _DIM, _PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


def main() -> int:
    if os.geteuid() != 0:
        print("make demo: containers need root: run it as root, or with sudo", file=sys.stderr)
        return 1
    knarr("rm", "-f", WEB, quiet=True)
    try:
        demonstrate()
    finally:
        knarr("rm", "-f", WEB, quiet=True)
    what_next()
    return 0


def demonstrate() -> None:
    title("A base image from the distribution's own signed packages")
    knarr("image", "bootstrap", "--include", "busybox", IMAGE)
    knarr("images", IMAGE)

    title("A container that runs one program and is gone")
    knarr("run", "--rm", IMAGE, "cat", "/etc/os-release")

    title("A web server in the background, with a published port")
    port = free_port()
    make_page = f"mkdir -p /srv && echo {PAGE.strip()} > /srv/index.html"
    serve = f"{make_page} && exec busybox httpd -f -v -p 80 -h /srv"
    knarr("run", "-d", "--name", WEB, "-p", f"127.0.0.1:{port}:80", IMAGE, "sh", "-c", serve)
    knarr("ps")

    title("Its page, fetched from the host")
    page = fetched(f"http://127.0.0.1:{port}/")
    print(f"$ curl http://127.0.0.1:{port}/\n{page}", end="")
    if page != PAGE:
        raise SystemExit("make demo: the page is not what the container serves")
    knarr("logs", WEB)

    title("Another program in the same container")
    knarr("exec", WEB, "sh", "-c", "echo I am process $$ on $(hostname); ls /srv")

    title("Stopped and removed")
    knarr("stop", "-t", "1", WEB)
    knarr("rm", WEB)
    knarr("ps", "-a")


def title(text: str) -> None:
    print(f"\n{_BOLD}{text}{_PLAIN}", flush=True)


def knarr(*argv: str, quiet: bool = False) -> None:
    """Run one command, shown as a person would type it; end the demo if it fails."""
    if quiet:
        subprocess.run([KNARR, *argv], capture_output=True, check=False)
        return
    words = " ".join(word if word.isascii() and " " not in word else repr(word) for word in argv)
    print(f"{_DIM}$ knarr {words}{_PLAIN}", flush=True)
    result = subprocess.run([KNARR, *argv], check=False)
    if result.returncode != 0:
        raise SystemExit(f"make demo: `knarr {words}` failed with exit code {result.returncode}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetched(url: str) -> str:
    """The page, once the server answers."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def what_next() -> None:
    knarr_path = os.path.relpath(KNARR) if shutil.which("knarr") is None else "knarr"
    title("What to try next")
    print(f"""\
  {knarr_path} run --rm -it {IMAGE} bash          a shell of your own
  {knarr_path} run --rm -it -v $PWD:/work -w /work {IMAGE} bash    with your files in it
  {knarr_path} doctor                                what this machine can do
  DOCKER_HOST=unix:///run/knarr/knarr.sock docker ps     any Docker client works too
  make test                                      everything that knarr promises, checked""")


if __name__ == "__main__":
    sys.exit(main())
