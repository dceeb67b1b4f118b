"""The systems that this engine was made for, whole, from Debian's packages and npm's registry."""

import json
import os
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import Daemon
from support.traffic import until

pytestmark = [
    pytest.mark.long,
    pytest.mark.needs("root", "namespaces", "overlay", "mmdebstrap"),
]

_MAKING_SECONDS = 900  # of an image from packages, on a slow line
_START_SECONDS = 60

SITE = """
import sys, time
import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import JsonResponse
from django.urls import path

settings.configure(
    DEBUG=True, ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="of this test",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "db", "NAME": "postgres", "USER": "postgres",
    }},
)
django.setup()
from django.contrib.auth.models import User
from django.db import OperationalError, connection

def people(request):
    return JsonResponse({"people": sorted(User.objects.values_list("username", flat=True))})

def add(request, name):
    User.objects.create_user(name)
    return people(request)

urlpatterns = [path("", people), path("add/<name>", add)]
while True:
    try:
        connection.ensure_connection()
        break
    except OperationalError:
        time.sleep(0.2)
execute_from_command_line([sys.argv[0], "migrate", "--verbosity=0"])
execute_from_command_line([sys.argv[0], "runserver", "0.0.0.0:8000", "--noreload"])
"""

DATABASE = """
set -e
cd /var/lib/postgresql
bin=$(echo /usr/lib/postgresql/*/bin)
test -d rows || $bin/initdb -D rows -A trust >/dev/null
echo "host all all samenet trust" > rows/pg_hba.conf
echo "local all all trust" >> rows/pg_hba.conf
exec $bin/postgres -D rows -k /tmp -c listen_addresses='*'
"""

KNOCK = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
except OSError as error:
    sys.exit(type(error).__name__)
"""


def made(daemon: Daemon, image: str, *packages: str) -> str:
    """An image with these packages."""
    words = ("image", "bootstrap", image, "--include", ",".join(packages))
    done = daemon.knarr(*words, timeout=_MAKING_SECONDS)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return image


def run(daemon: Daemon, *words: str) -> str:
    done = daemon.knarr("run", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Site:
    """A Django site and its database, each in a container of its own, on one network."""

    def __init__(self, daemon: Daemon, image: str, folder: Path) -> None:
        self._daemon, self._image, self._folder = daemon, image, folder
        (folder / "site.py").write_text(SITE)
        (folder / "database.sh").write_text(DATABASE)
        (folder / "knock.py").write_text(KNOCK)
        for name in ("front", "other"):
            daemon.knarr("network", "create", name).check_returncode()
        self.start_database()
        self.start_pages()

    def start_database(self) -> None:
        run(
            self._daemon, "-d", "--name", "db", "--network", "front", "--user", "postgres",
            "-v", "rows:/var/lib/postgresql", "-v", f"{self._folder}:/setup:ro",
            self._image, "sh", "/setup/database.sh",
        )  # fmt: skip

    def start_pages(self) -> None:
        run(
            self._daemon, "-d", "--name", "pages", "--network", "front", "-p", "8000",
            "-v", f"{self._folder}:/setup:ro", self._image, "python3", "/setup/site.py",
        )  # fmt: skip

    def ask(self, path: str) -> list[str]:
        told = self._daemon.knarr("port", "pages", "8000").stdout.splitlines()[0]
        port = int(told.rpartition(":")[2])
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
            people: list[str] = json.load(answer)["people"]
            return people

    def answers(self) -> bool:
        try:
            self.ask("")
        except OSError:
            return False
        return True

    def address(self, name: str) -> str:
        form = "{{.NetworkSettings.Networks.front.IPAddress}}"
        return self._daemon.knarr("inspect", "-f", form, name).stdout.strip()

    def knock(self, network: str, host: str, port: int) -> str:
        """Empty when there is an answer; else the kind of failure."""
        done = self._daemon.knarr(
            "run", "--rm", "--network", network, "-v", f"{self._folder}:/setup:ro",
            self._image, "python3", "/setup/knock.py", host, str(port),
        )  # fmt: skip
        return done.stderr.strip()

    def close(self) -> None:
        self._daemon.knarr("rm", "-f", "db", "pages")
        self._daemon.knarr("network", "rm", "front", "other").check_returncode()
        self._daemon.knarr("volume", "rm", "rows").check_returncode()


@pytest.fixture
def site(daemon: Daemon, tmp_path: Path) -> Iterator[Site]:
    image = made(daemon, "kn-site", "python3-django", "python3-psycopg2", "postgresql")
    tmp_path.chmod(0o755)
    site = Site(daemon, image, tmp_path)
    yield site
    site.close()


def test_a_site_finds_its_database_whose_rows_outlive_its_container(
    daemon: Daemon, site: Site
) -> None:
    until(site.answers, seconds=_START_SECONDS)
    assert site.ask("add/ada") == ["ada"]
    assert site.ask("add/grace") == ["ada", "grace"]

    daemon.knarr("rm", "-f", "db").check_returncode()
    site.start_database()
    until(site.answers, seconds=_START_SECONDS)
    assert site.ask("") == ["ada", "grace"]
    assert site.ask("add/joan") == ["ada", "grace", "joan"]

    for name, port in (("db", 5432), ("pages", 8000)):
        assert site.knock("front", name, port) == ""
        assert site.knock("other", name, port) == "gaierror"
        assert site.knock("other", site.address(name), port) == "TimeoutError"


GULPFILE = """
const { src, dest, watch } = require("gulp");
const { Transform } = require("stream");
const smaller = () => new Transform({
  objectMode: true,
  transform(file, _, done) {
    file.contents = Buffer.from(file.contents.toString().replace(/\\s+/g, " ").trim());
    done(null, file);
  },
});
const styles = () => src("css/*.css").pipe(smaller()).pipe(dest("built"));
const options = { ignoreInitial: false, usePolling: false };
exports.default = () => { watch("css/*.css", options, styles); };
"""
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"  # the host's: it may be behind a proxy


def test_gulp_in_a_container_rebuilds_what_is_saved_on_the_host(
    daemon: Daemon, tmp_path: Path
) -> None:
    image = made(daemon, "kn-node", "nodejs", "npm")
    project = tmp_path / "project"
    (project / "css").mkdir(parents=True)
    (project / "gulpfile.js").write_text(GULPFILE)
    style, built = project / "css" / "style.css", project / "built" / "style.css"
    style.write_text("body {\n  color: red;\n}\n")
    proxies = [f"--env={name}" for name in os.environ if name.lower().endswith("_proxy")]
    installed = daemon.knarr(
        "run", "--rm", "-v", f"{project}:/project", "-w", "/project", *proxies,
        "-v", f"{AUTHORITIES}:{AUTHORITIES}:ro", "-e", f"NODE_EXTRA_CA_CERTS={AUTHORITIES}",
        image, "npm", "install", "--no-fund", "--no-audit", "gulp@5", timeout=300,
    )  # fmt: skip
    assert installed.returncode == 0, installed.stderr
    run(
        daemon, "-d", "--name", "gulp", "-v", f"{project}:/project", "-w", "/project",
        image, "npx", "gulp",
    )  # fmt: skip
    try:
        until(lambda: _text(built) == "body { color: red; }", seconds=_START_SECONDS)
        style.write_text("body {\n  color: blue;\n}\n")  # written in place
        until(lambda: _text(built) == "body { color: blue; }", seconds=_START_SECONDS)
        saved = project / "css" / "~style"
        saved.write_text("body {\n  color: green;\n}\n")
        saved.rename(style)  # as most editors save
        until(lambda: _text(built) == "body { color: green; }", seconds=_START_SECONDS)
    finally:
        daemon.knarr("rm", "-f", "gulp")
        shutil.rmtree(project)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
