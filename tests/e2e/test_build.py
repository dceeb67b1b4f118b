"""Builds by every client: the docker CLI, docker-py, and knarr's own command."""

import base64
import io
import json
import os
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from knarr.network.plan import Names
from support.daemon import Daemon, running_daemon

pytestmark = pytest.mark.needs("root", "namespaces", "overlay", "docker", "busybox")


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A folder with a Dockerfile of two stages."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a").write_text("A\n")
    (tmp_path / ".dockerignore").write_text("*.md\n")
    (tmp_path / "skip.md").write_text("M")
    (tmp_path / "Dockerfile").write_text(
        "FROM busybox AS one\n"
        "RUN echo made > /made && id -u\n"
        "FROM busybox\n"
        "ARG NAME=x\n"
        "WORKDIR /app\n"
        "COPY . .\n"
        "COPY --from=one /made /made\n"
        "RUN echo $NAME > name && hostname\n"
        'CMD ["cat", "/made", "/app/name"]\n'
    )
    return tmp_path


def test_the_docker_cli_builds_and_runs(daemon: Daemon, context: Path) -> None:
    built = daemon.docker("build", "-t", "e2e:1", "--build-arg", "NAME=n", str(context))
    assert built.returncode == 0, built.stderr
    assert "Step 9/9" in built.stdout
    assert "Successfully tagged e2e:1" in built.stdout
    assert daemon.docker("run", "--rm", "--network", "none", "e2e:1").stdout == "made\nn\n"
    again = daemon.docker("build", "-t", "e2e:1", "--build-arg", "NAME=n", str(context))
    assert again.stdout.count("Using cache") == 7  # all but FROM
    found = daemon.docker("run", "--rm", "--network", "none", "e2e:1", "ls", "-A", "/app").stdout
    assert sorted(found.split()) == [".dockerignore", "Dockerfile", "name", "src"]


def test_the_docker_cli_shows_what_went_wrong(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN exit 4\n")
    built = daemon.docker("build", str(tmp_path))
    assert built.returncode == 4
    assert "The command '/bin/sh -c exit 4' returned a non-zero code: 4" in built.stderr
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUM true\n")
    built = daemon.docker("build", str(tmp_path))
    assert "unknown instruction: RUM (did you mean RUN?)" in built.stderr


def test_the_docker_cli_prunes_and_counts_the_cache(daemon: Daemon, context: Path) -> None:
    assert daemon.docker("build", "-q", str(context)).returncode == 0
    usage = daemon.docker("system", "df", "--format", "{{json .}}").stdout.splitlines()
    (cache,) = [json.loads(line) for line in usage if "Build Cache" in line]
    assert int(cache["TotalCount"]) >= 5
    assert daemon.docker("builder", "prune", "-af").returncode == 0
    usage = daemon.docker("system", "df", "--format", "{{json .}}").stdout.splitlines()
    (cache,) = [json.loads(line) for line in usage if "Build Cache" in line]
    assert cache["TotalCount"] == "0"


@pytest.mark.parametrize("flag", ["--sbom=true"])
def test_what_would_go_unnoticed_is_refused(daemon: Daemon, tmp_path: Path, flag: str) -> None:
    built = daemon.knarr("build", flag, str(tmp_path))
    assert built.returncode == 1
    assert f"knarr cannot do {flag.partition('=')[0]} yet" in built.stderr


def test_buildkits_endpoints_say_how_they_are_asked(daemon: Daemon) -> None:
    client = docker.APIClient(base_url=daemon.host)
    try:
        for path in ("/session", "/grpc"):
            answer = client._post(client._url(path))
            assert answer.status_code == 400
            assert "ask with Upgrade: h2c" in answer.text
        answer = client._post(client._url("/build?version=2"))
        assert answer.status_code == 400
        assert "needs a session" in answer.text
    finally:
        client.close()


@pytest.fixture
def sdk(daemon: Daemon) -> Iterator[Any]:
    client = docker.DockerClient(base_url=daemon.host)
    yield client
    client.close()


def test_docker_py_builds_from_a_folder_and_from_a_file(sdk: Any, context: Path) -> None:
    image, lines = sdk.images.build(path=str(context), tag="py:1", buildargs={"NAME": "py"})
    assert image.tags == ["py:1"]
    assert any("Successfully built" in line.get("stream", "") for line in lines)
    file = io.BytesIO(b"FROM busybox\nLABEL a=b\n")
    image, _ = sdk.images.build(fileobj=file, labels={"c": "d"}, rm=True, network_mode="none")
    assert image.labels == {"a": "b", "c": "d"}


def test_docker_py_builds_with_a_login_that_has_no_email(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sends the field all the same, as a null."""
    login = base64.b64encode(b"me:secret").decode()
    config = {"auths": {"registry.example.com": {"auth": login}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    client = docker.DockerClient(base_url=daemon.host)
    try:
        image, _ = client.images.build(fileobj=io.BytesIO(b"FROM busybox\nLABEL a=b\n"))
    finally:
        client.close()
    assert image.labels["a"] == "b"


def test_docker_py_hears_of_failures(sdk: Any) -> None:
    with pytest.raises(docker.errors.BuildError, match="returned a non-zero code: 5"):
        sdk.images.build(fileobj=io.BytesIO(b"FROM busybox\nRUN exit 5\n"))
    with pytest.raises(docker.errors.APIError, match="unknown instruction"):
        sdk.images.build(fileobj=io.BytesIO(b"FRUM busybox\n"))


def test_knarr_builds_without_sending_what_the_engine_can_see(
    daemon: Daemon, context: Path
) -> None:
    built = daemon.knarr("build", "-t", "own:1", "--iidfile", str(context / "id"), str(context))
    assert built.returncode == 0, built.stderr
    assert "[stage-1 8/9] RUN echo $NAME > name && hostname" in built.stderr
    (context / "src" / "a").write_text("B\n")
    again = daemon.knarr("build", "-t", "own:1", "--explain", str(context))
    assert "hit   [one 2/9] RUN echo made > /made && id -u" in again.stdout
    assert "miss  [stage-1 6/9] COPY . .\n        file id is new" in again.stdout
    quiet = daemon.knarr("build", "-q", str(context))
    assert quiet.stdout.startswith("sha256:")
    assert quiet.stderr == ""


def test_both_clients_build_the_same_image(daemon: Daemon, context: Path) -> None:
    own = daemon.knarr("build", "-q", "--no-cache", str(context)).stdout.strip()
    daemon.docker("builder", "prune", "-af")
    other = daemon.docker("build", "-q", "--no-cache", str(context)).stdout.strip()
    assert own == other


def test_results_are_written_to_files(daemon: Daemon, context: Path, tmp_path: Path) -> None:
    (context / "Dockerfile").write_text("FROM scratch\nCOPY src /\n")
    out = tmp_path / "out"
    built = daemon.knarr(
        "build", "-t", "o:1", "-o", str(out), "-o", f"type=tar,dest={tmp_path}/o.tar",
        "-o", f"type=docker,name=o:2,dest={tmp_path}/d.tar", "--metadata-file", str(tmp_path / "m"),
        "-o", f"type=oci,dest={tmp_path}/layout,tar=false", str(context),
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    assert [path.name for path in out.iterdir()] == ["a"]
    with tarfile.open(tmp_path / "o.tar") as archive:
        assert archive.getnames() == ["a"]
    with tarfile.open(tmp_path / "d.tar") as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        assert sorted(json.load(manifest)[0]["RepoTags"]) == ["o:1", "o:2"]
    assert json.loads((tmp_path / "layout/oci-layout").read_text())
    assert json.loads((tmp_path / "m").read_text())["image.name"] == "o:1,o:2"


def test_a_cache_in_a_folder_outlives_the_engines_own(
    daemon: Daemon, context: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("caches") / "new"
    source = f"type=local,src={folder}"
    first = daemon.knarr("build", "-q", "--cache-from", source, "--cache-to",
                         f"type=local,dest={folder},mode=max", str(context))  # fmt: skip
    assert first.returncode == 0, first.stderr
    assert f"no cache in {folder} yet" in first.stderr
    daemon.knarr("rmi", "-f", first.stdout.strip())
    daemon.knarr("builder", "prune", "-af")
    again = daemon.knarr("build", "--cache-from", source, str(context))
    assert "DONE" not in again.stderr
    assert "CACHED" in again.stderr
    assert "knarr-cache" not in daemon.knarr("images").stdout


def test_secrets_from_a_file_and_from_the_environment(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "s").write_text("from a file")
    (tmp_path / "Dockerfile").write_text(
        "FROM busybox\n"
        "RUN --mount=type=secret,id=f cat /run/secrets/f\n"
        "RUN --mount=type=secret,id=HOME,env=H echo $H\n"
    )
    built = daemon.knarr(
        "build", "--secret", f"id=f,src={tmp_path}/s", "--secret", "id=HOME", str(tmp_path)
    )
    assert built.returncode == 0, built.stderr
    assert "from a file" in built.stderr
    assert os.environ["HOME"] in built.stderr


def test_a_context_and_a_dockerfile_on_standard_input(daemon: Daemon, context: Path) -> None:
    built = daemon.knarr("build", "-t", "in:1", "-", input="FROM busybox\nLABEL x=y\n")
    assert built.returncode == 0, built.stderr
    built = daemon.knarr("build", "-f", "-", str(context), input="FROM scratch\nCOPY src/a /\n")
    assert built.returncode == 0, built.stderr
    assert "COPY src/a /" in built.stderr
    missing = daemon.knarr("build", str(context / "nope"))
    assert missing.returncode == 1
    assert "not found" in missing.stderr


def test_checks_find_what_is_probably_not_meant(daemon: Daemon, context: Path) -> None:
    clean = daemon.knarr("build", "--check", str(context))
    assert (clean.returncode, clean.stdout) == (0, "Check complete, no warnings found.\n")
    (context / "Dockerfile").write_text("FROM busybox AS One\nCMD echo hi\n")
    found = daemon.knarr("build", "--check", str(context))
    assert found.returncode == 1
    assert "WARNING: StageNameCasing" in found.stdout
    assert "Check complete, 2 warnings have been found!" in found.stdout


def test_a_failed_step_shows_its_last_lines_and_its_place(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN seq 1 30; exit 9\n")
    built = daemon.knarr("build", str(tmp_path))
    assert built.returncode == 9
    assert "\n29\n30\n------\n" in built.stderr
    assert "2 | >>> RUN seq 1 30; exit 9" in built.stderr


def test_a_killed_daemon_goes_on_from_the_last_finished_step(tmp_path: Path) -> None:
    from support import images

    (tmp_path / "busybox.tar").write_bytes(images.busybox())
    (tmp_path / "Dockerfile").write_text(
        "FROM busybox\nRUN echo first > /first\nRUN touch /up; sleep 60\n"
    )
    with running_daemon() as daemon:
        daemon.docker("load", "-i", str(tmp_path / "busybox.tar"))
        import subprocess

        building = subprocess.Popen(
            ["docker", "build", str(tmp_path)],
            env=daemon.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert building.stdout is not None
        for line in building.stdout:
            if b"Step 3/3" in line:
                break
        time.sleep(0.2)
        daemon.kill()
        building.wait()
        building.stdout.close()
        assert list((daemon.run_root / "builds").iterdir()), "the step was under way"
        (tmp_path / "Dockerfile").write_text(
            "FROM busybox\nRUN echo first > /first\nRUN echo second\n"
        )
        daemon.start()
        built = daemon.docker("build", str(tmp_path))
        assert built.returncode == 0, built.stderr
        assert "RUN echo first > /first\n ---> Using cache" in built.stdout
        left = {path.name for path in (daemon.data_root / "containers").iterdir()}
        assert not {name for name in left if not name.startswith(".")}, left
        assert not list((daemon.run_root / "builds").iterdir())
        assert str(daemon.folder) not in Path("/proc/mounts").read_text()
        daemon.stop()
        bridge = Names.of(str(daemon.run_root)).default_bridge
        assert not Path(f"/sys/class/net/{bridge}").exists(), "nobody is on it any more"


def test_tools_that_build_with_the_words_of_buildx_find_a_builder(
    daemon: Daemon, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo made > /made\n")
    shown = daemon.knarr("buildx", "inspect")
    assert "Driver: docker" in shown.stdout, shown.stderr
    assert "Platforms:        linux/" in shown.stdout
    listed = json.loads(daemon.knarr("buildx", "ls", "--format", "{{json .}}").stdout)
    assert (listed["Name"], listed["Nodes"][0]["Status"]) == ("default", "running")
    missing = daemon.knarr("buildx", "inspect", "elsewhere")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert 'no builder "elsewhere" found' in missing.stderr
    built = daemon.knarr("buildx", "build", "--load", "-t", "e2e:bx", str(tmp_path))
    assert built.returncode == 0, built.stderr
    run = daemon.knarr("run", "--rm", "--network", "none", "e2e:bx", "cat", "/made")
    assert run.stdout == "made\n"
