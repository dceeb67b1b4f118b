"""Every project in ``examples/`` does what it says; those of many packages are long."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.composes import knarrs
from support.daemon import Daemon
from support.samples import EXAMPLES, Sample, eventually, fetched, sample

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")
long = pytest.mark.long

Named = Callable[[str], Sample]


@pytest.fixture
def named(daemon: Daemon, tmp_path: Path) -> Iterator[Named]:
    """A sample by the name of its folder, for the length of a test."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(sample(daemon, name, tmp_path))


@pytest.fixture(scope="module")
def images(daemon: Daemon) -> None:
    """The base and what the larger samples share, from Debian's packages."""
    made = daemon.knarr("image", "bootstrap", "base", timeout=900)
    assert made.returncode == 0, made.stderr
    compose = knarrs(daemon.environment, "knarr")
    compose.run(EXAMPLES / "images", "build", timeout=1800)


def _asked(url: str) -> str:
    """For a shell in a container: the page, once its server is there."""
    return f"until wget -qO- {url}; do sleep 0.1; done"


def test_every_sample_has_a_test() -> None:
    told = Path(__file__).read_text()
    folders = {each.parent.name for each in EXAMPLES.glob("*/compose.yaml")} - {"images"}
    assert len(folders) >= 12
    assert {name for name in folders if f'named("{name}")' not in told} == set()
    assert {
        name for name in folders if f"]({name})" not in (EXAMPLES / "README.md").read_text()
    } == set()


def test_static_site(named: Named) -> None:
    project = named("static-site")
    project("up", "-d", "--wait")
    assert fetched(project.url("site", 80)) == "<h1>Ahoy</h1>\n"
    (project.folder / "public/index.html").write_text("edited\n")
    assert fetched(project.url("site", 80)) == "edited\n"


def test_configs_and_secrets(named: Named) -> None:
    project = named("configs-and-secrets")
    assert project("run", "--rm", "-T", "app").splitlines() == [
        "welcome aboard", "greeting = ahoy", "the password has 13 letters",
    ]  # fmt: skip
    looked = project(
        "run",
        "--rm",
        "-T",
        "app",
        "sh",
        "-c",
        "stat -c %a:%u /run/secrets/api-token; cat /run/secrets/api-token",
    )
    assert looked == "400:65534\nonly-for-a-desk"


def test_profiles(named: Named) -> None:
    project = named("profiles")
    project("up", "-d")
    assert project.containers() == {"profiles-site-1"}
    project("--profile", "debug", "up", "-d")
    page = project("exec", "-T", "toolbox", "sh", "-c", _asked("http://127.0.0.1/"))
    assert page == "hello from busybox\n"
    assert project("run", "--rm", "-T", "migrate") == "migrated\n"


def test_includes(named: Named) -> None:
    project = named("includes")
    assert set(project("config", "--services").split()) == {"store", "shop", "front"}
    assert "the ship chandler is open" in project("up", "--exit-code-from", "front")


def test_overrides(named: Named) -> None:
    project = named("overrides")
    project("up", "-d")
    eventually(lambda: "runs in development" in project("logs"))
    production = ("-f", "compose.yaml", "-f", "compose.production.yaml")
    project(*production, "up", "-d")
    assert project.containers() == {"overrides-app-1", "overrides-app-2"}
    eventually(lambda: "runs in production" in project(*production, "logs", "--index", "2", "app"))


def test_backup(named: Named) -> None:
    project = named("backup")
    project("up", "-d")
    before = eventually(lambda: project("exec", "-T", "app", "cat", "/data/starts"))
    project("run", "--rm", "-T", "backup")
    project("down", "-v")
    project("run", "--rm", "-T", "restore")
    project("run", "--rm", "-T", "app", "grep", "-qF", before.strip(), "/data/starts")


def test_two_networks(named: Named) -> None:
    project = named("two-networks")
    project("up", "-d")
    page = project("exec", "-T", "front", "sh", "-c", _asked("http://www/"))
    assert page == "hello from busybox\n"
    database = "http://db:5432/"
    assert project("exec", "-T", "app", "sh", "-c", _asked(database)) == page
    project("exec", "-T", "front", "sh", "-c", f"! wget -T 2 -qO- {database}")


@long
@pytest.mark.usefixtures("images")
def test_flask_redis(named: Named) -> None:
    project = named("flask-redis")
    project("up", "-d", timeout=600)
    url = project.url("web", 5000)
    assert [fetched(url), fetched(url)] == ["seen 1 times\n", "seen 2 times\n"]


@long
@pytest.mark.usefixtures("images")
def test_node_postgres(named: Named) -> None:
    project = named("node-postgres")
    project("up", "-d", timeout=600)
    assert json.loads(fetched(project.url("web", 3000), b"ahoy")) == ["ahoy"]
    project("down")
    project("up", "-d", timeout=600)
    assert json.loads(fetched(project.url("web", 3000))) == ["ahoy"]


@long
@pytest.mark.usefixtures("images")
def test_django(named: Named) -> None:
    project = named("django")
    project("up", "-d", timeout=600)
    assert ", visit 1\n" in fetched(project.url("web", 8000))
    view = project.folder / "visits/views.py"
    view.write_text(view.read_text().replace("hello", "ahoy"))
    assert eventually(lambda: "ahoy from" in fetched(project.url("web", 8000)))


@long
@pytest.mark.usefixtures("images")
def test_nginx_replicas(named: Named) -> None:
    project = named("nginx-replicas")
    project("up", "-d", timeout=600)
    url = project.url("proxy", 80)
    seen: set[str] = set()

    def all_have_answered() -> bool:
        seen.add(fetched(url))
        return len(seen) == 3

    eventually(all_have_answered)


@long
@pytest.mark.usefixtures("images")
def test_worker_queue(named: Named) -> None:
    project = named("worker-queue")
    project("up", "-d", timeout=600)
    jobs = project.url("web", 5000) + "jobs"
    number = fetched(jobs, b"knarr")
    eventually(lambda: fetched(f"{jobs}/{number}") == "rrank")
    eventually(lambda: f"job {number} done" in project("logs", "worker"))


@long
@pytest.mark.usefixtures("images")
def test_cron(named: Named) -> None:
    project = named("cron")
    project("up", "-d", timeout=600)
    eventually(lambda: "the clock runs" in project("logs"))
    assert project("exec", "-T", "jobs", "cat", "/reports/begun") == "begun\n"


@long
@pytest.mark.usefixtures("images")
def test_gulp(named: Named) -> None:
    project = named("gulp")
    project("up", "-d", timeout=1800)
    url = project.url("site", 80)
    assert "<title>Gulp</title>" in fetched(url)
    assert fetched(url + "app.js") == 'console.log("ahoy");\n'


@long
@pytest.mark.usefixtures("images")
def test_the_demo_shows_all_that_it_promises(daemon: Daemon) -> None:
    demo = EXAMPLES.parent / "scripts/demo.py"
    source = {"PYTHONPATH": str(EXAMPLES.parent / "src")}
    done = subprocess.run(
        [sys.executable, str(demo)],
        env={**daemon.environment, **source},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    for told in (
        "PRETTY_NAME", "I am process", "hello from", "ahoy from", "(Pdb) p host, visits",
        "All of it took",
    ):  # fmt: skip
        assert told in done.stdout
    assert daemon.knarr("ps", "-aq").stdout == ""
