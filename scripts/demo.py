"""`make demo`: containers, then a Django site and PostgreSQL, each command shown as typed."""

import contextlib
import os
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
KNARR = [sys.executable, "-m", "knarr"]
WEB = "knarr-demo-web"
DEBUGGED = "django-site-debugged"
_PATIENCE_S = 90.0
_BOLD, _DIM, _PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


def main() -> int:
    if os.geteuid() != 0:
        print("make demo: containers need root: run it as root, or with sudo", file=sys.stderr)
        return 1
    if shutil.which("mmdebstrap") is None:
        print(
            "make demo: the images are made of Debian's packages by mmdebstrap, which is not here:"
            " install it with your distribution's package manager (Debian: apt-get install"
            " mmdebstrap)",
            file=sys.stderr,
        )
        return 1
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="knarr-demo-") as name:
        site = Path(name, "site")
        shutil.copytree(EXAMPLES / "django", site)
        os.chdir(site)
        try:
            images()
            containers()
            project(site)
        finally:
            quietly("rm", "-f", WEB, DEBUGGED)
            quietly("compose", "down", "-v", "-t", "1")
    print(f"\nAll of it took {time.monotonic() - began:.0f} s.")
    what_next()
    return 0


def images() -> None:
    title(
        "A base image from the distribution's own signed packages, and on it Python and PostgreSQL"
    )
    if "base:latest" not in said("images", "--format", "{{.Repository}}:{{.Tag}}").split():
        long("image", "bootstrap", "base")
    long("compose", "-f", str(EXAMPLES / "images/compose.yaml"), "build", "python", "postgres")


def containers() -> None:
    title("A container that runs one program and is gone")
    knarr("run", "--rm", "base", "cat", "/etc/os-release")

    title("A web server in the background, with a published port")
    serve = "mkdir -p /www && echo ahoy > /www/index.html && python3 -u -m http.server -d /www"
    knarr("run", "-d", "--name", WEB, "-p", "127.0.0.1::8000", "samples/python", "sh", "-c", serve)
    knarr("ps")

    title("Its page, fetched from the host; its logs; another program in it")
    address = said("port", WEB, "8000").strip()
    page = fetched(f"http://{address}/")
    print(f"{_DIM}$ curl http://{address}/{_PLAIN}\n{page}", end="")
    if page != "ahoy\n":
        fail("the page is not what the container serves")
    knarr("logs", WEB)
    knarr("exec", WEB, "sh", "-c", "echo I am process $$ on $(hostname); ls /www")

    title("Stopped and removed")
    knarr("stop", "-t", "1", WEB)
    knarr("rm", WEB)
    knarr("ps", "-a")


def project(site: Path) -> None:
    title("A Django site, built from its Dockerfile, and its database: one compose.yaml")
    print((site / "compose.yaml").read_text())
    long("compose", "up", "-d", "--build")
    knarr("compose", "ps")

    title("Its page, fetched from the host")
    expect_page("hello from")

    title("Live code: an edit on the host is what the next request runs")
    edit(site, "hello from", "ahoy from")
    expect_page("ahoy from")

    title("Three of it")
    knarr("compose", "up", "-d", "--scale", "web=3")
    hosts = {expect_page("ahoy from", index).split()[2] for index in (1, 2, 3)}
    if len(hosts) != 3:
        fail(f"three replicas should answer, not {len(hosts)}")

    title("A breakpoint in the code, and a server with a terminal that stops there")
    edit(site, "    return", "    breakpoint()\n    return")
    debug()

    title("All gone again")
    knarr("compose", "down", "-v", "-t", "1")
    knarr("compose", "ls", "--all")


def debug() -> None:
    """One server on a terminal; a request stops at the breakpoint, and is looked at there."""
    words = ["compose", "run", "--rm", "--service-ports", "--name", DEBUGGED, "web"]
    with on_terminal(*words) as terminal:
        terminal.expect("Quit the server")
        address = said("port", DEBUGGED, "8000").strip()
        pages: list[str] = []
        request = threading.Thread(target=lambda: pages.append(fetched(f"http://{address}/")))
        print(f"{_DIM}$ curl http://{address}/     (in another terminal){_PLAIN}", flush=True)
        request.start()
        terminal.expect("(Pdb)")
        terminal.type("p host, visits\n")
        terminal.expect("(Pdb)")
        terminal.type("continue\n")
        request.join(_PATIENCE_S)
        print(f"\n{_DIM}$ curl http://{address}/{_PLAIN}\n{''.join(pages)}", end="")
        terminal.type("\x03")
    if not pages or "visit" not in pages[0]:
        fail("the request did not go on after the breakpoint")


class Terminal:
    """A program's terminal, from where the person sits; what appears is shown."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._unread = ""

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def expect(self, text: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while text not in self._unread:
            if time.monotonic() > deadline:
                fail(f"{text!r} did not appear on the terminal")
            if not select.select([self._descriptor], [], [], 0.2)[0]:
                continue
            data = os.read(self._descriptor, 65536).decode(errors="replace")
            print(data, end="", flush=True)
            self._unread += data
        self._unread = self._unread.partition(text)[2]


@contextlib.contextmanager
def on_terminal(*words: str) -> Iterator[Terminal]:
    show(*words)
    pid, descriptor = pty.fork()
    if not pid:
        os.execv(KNARR[0], [*KNARR, *words])
    try:
        yield Terminal(descriptor)
    finally:
        with contextlib.suppress(OSError):  # EIO: the program has left its terminal
            while os.read(descriptor, 65536):
                pass
        os.close(descriptor)
        os.waitpid(pid, 0)


def edit(site: Path, old: str, new: str) -> None:
    view = site / "visits/views.py"
    text = view.read_text()
    view.write_text(text.replace(old, new))
    print(f"{_DIM}$ edit visits/views.py: {old.strip()!r} becomes {new.strip()!r}{_PLAIN}")


def expect_page(text: str, index: int = 1) -> str:
    """The page of a replica, once it says ``text``."""
    address = said("compose", "port", "--index", str(index), "web", "8000").strip()
    print(f"{_DIM}$ curl http://{address}/{_PLAIN}", flush=True)
    deadline = time.monotonic() + _PATIENCE_S
    while text not in (page := fetched(f"http://{address}/")):
        if time.monotonic() > deadline:
            fail(f"the page says {page!r}, not {text!r}")
        time.sleep(0.2)
    print(page, end="")
    return page


def fetched(url: str) -> str:
    """The page, once the server answers."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=_PATIENCE_S) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def title(text: str) -> None:
    print(f"\n{_BOLD}{text}{_PLAIN}", flush=True)


def show(*words: str) -> None:
    line = " ".join(word if word.isascii() and " " not in word else repr(word) for word in words)
    print(f"{_DIM}$ knarr {line}{_PLAIN}", flush=True)


def knarr(*words: str) -> None:
    """Run one command, shown as a person would type it; end the demo if it fails."""
    show(*words)
    if code := subprocess.run([*KNARR, *words], check=False).returncode:
        fail(f"`knarr {' '.join(words)}` failed with exit code {code}")


def long(*words: str) -> None:
    """A command that says much: its last line is shown while it works, all of it if it fails."""
    show(*words)
    began = time.monotonic()
    process = subprocess.Popen(
        [*KNARR, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if sys.stdout.isatty():
            width = shutil.get_terminal_size().columns - 8
            passed = time.monotonic() - began
            print(f"\r\033[K{passed:4.0f} s  {line.strip()[:width]}", end="", flush=True)
    if sys.stdout.isatty():
        print("\r\033[K", end="")
    if process.wait():
        print("".join(lines[-40:]), end="")
        fail(f"`knarr {' '.join(words)}` failed with exit code {process.returncode}")
    print(f"done ({time.monotonic() - began:.0f} s)")


def said(*words: str) -> str:
    result = subprocess.run([*KNARR, *words], capture_output=True, text=True, check=False)
    if result.returncode:
        fail(f"`knarr {' '.join(words)}`: {result.stderr.strip()}")
    return result.stdout


def quietly(*words: str) -> None:
    subprocess.run([*KNARR, *words], capture_output=True, check=False)


def fail(reason: str) -> None:
    raise SystemExit(f"make demo: {reason}")


def what_next() -> None:
    title("What to try next")
    program = "knarr" if shutil.which("knarr") else ".venv/bin/knarr"
    print(f"""\
  {program} run --rm -it base bash              a shell of your own
  {program} run --rm -it -v $PWD:/here -w /here base bash    with your files in it
  cd examples/django && knarr compose up          the same site, to play with
  ls examples                                     more projects
  {program} doctor                               what this machine can do
  DOCKER_HOST=unix:///run/knarr/knarr.sock docker ps     any Docker client works too
  make test                                       everything that knarr promises, checked""")


if __name__ == "__main__":
    sys.exit(main())
