"""From a service's ``build`` and the flags to what the engine is asked for."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from knarr.cli.compose.bake import bake_file
from knarr.cli.compose.build_section import Overrides, Section
from knarr.errors import InvalidArgument, Unsupported
from support.fake_engine import Answer, FakeEngine
from support.projects import project_of
from unit.cli.conftest import Knarr

WHOLE = """
services:
  whole:
    image: reg/whole:1
    build:
      context: .
      args: {A: "1"}
      labels: {of: mine}
      tags: [other]
      target: last
      network: none
      shm_size: 64m
      ulimits: {nofile: {soft: 10, hard: 20}, nproc: 5}
      extra_hosts: ["a=1.2.3.4", "b=::1"]
      no_cache: true
      pull: true
      no_cache_filter: one
      privileged: true
      entitlements: [network.host]
      cache_from: ["type=registry,ref=c"]
      cache_to: [type=inline]
      ssh: [default, other=/run/other]
      additional_contexts: {lib: ./lib, made: "service:made", web: "https://x/y.git"}
      secrets: [{source: token, target: renamed, uid: "1"}, text]
  made: {build: {context: .}}
secrets: {token: {environment: TOKEN}, text: {file: ./text}}
"""


def section(text: str, *, name: str = "app", image: str = "", **overrides: Any) -> Section:
    """Of ``build: …`` alone, or of a whole file."""
    whole = "services:" in text
    project = project_of(text if whole else f"services: {{{name}: {{{text}}}}}")
    service = project.services[name]
    image = image or service.image_name(project.name)
    return Section(project, service, image, Overrides(**overrides))


def test_every_attribute_is_a_flag_of_knarr_build() -> None:
    options = section(WHOLE, name="whole").options
    assert (options.tag, options.target, options.network) == (
        ("other", "reg/whole:1"),
        "last",
        "none",
    )
    assert options.build_arg == ("A=1",)
    assert options.label == ("of=mine",)
    assert options.shm_size == 64 << 20
    assert options.ulimit == (
        {"Name": "nofile", "Soft": 10, "Hard": 20}, {"Name": "nproc", "Soft": 5, "Hard": 5},
    )  # fmt: skip
    assert options.add_host == ("a:1.2.3.4", "b:::1")
    assert (options.no_cache, options.pull, options.no_cache_filter) == (True, True, ("one",))
    assert options.allow == ("network.host", "security.insecure")
    assert (options.cache_from, options.cache_to) == (("type=registry,ref=c",), ("type=inline",))
    assert options.ssh == ("default", "other=/run/other")
    assert options.build_context == (
        "lib=/app/lib", "made=engine-image://app-made", "web=https://x/y.git",
    )  # fmt: skip


def test_flags_come_before_the_file() -> None:
    text = "build: {context: ., args: {A: file, B: file}}"
    given = section(text, args={"A": "flag", "C": None}, no_cache=True, ssh=("default",)).options
    assert given.build_arg == ("A=flag", "B=file", "C")
    assert given.no_cache
    assert given.ssh == ("default",)


def test_one_platform_is_built_for_a_container_and_all_for_build() -> None:
    text = "platform: linux/arm64, build: {context: ., platforms: [linux/amd64, linux/arm64]}"
    assert section(text).platform == "linux/arm64"
    assert section(text, all_platforms=True).platform == "linux/amd64,linux/arm64"
    assert section("build: {context: ., platforms: [linux/amd64, linux/arm64]}").platform == ""


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("ssh: [default]", "ssh"),
        ("privileged: true", "privileged"),
        ("entitlements: [network.host]", "entitlements"),
        ("additional_contexts: {a: ./b}", "additional_contexts"),
    ],
)
def test_another_engine_is_not_asked_for_what_it_cannot_do(attribute: str, name: str) -> None:
    asked = section(f"build: {{context: ., {attribute}}}")
    with pytest.raises(Unsupported, match=rf"services.app.build.{name} needs knarr's own engine"):
        asked.missed()


def test_another_engine_may_go_without_a_cache() -> None:
    text = "build: {context: ., cache_to: [type=inline], no_cache_filter: [one]}"
    assert section(text).missed() == [
        "services.app.build.cache_to", "services.app.build.no_cache_filter",
    ]  # fmt: skip
    several = "build: {context: ., platforms: [linux/amd64, linux/arm64]}"
    with pytest.raises(Unsupported, match=r"services.app.build.platforms: several need knarr's"):
        section(several, all_platforms=True).missed()


OURS = Answer(headers={"Server": "knarr/1", "Content-Type": "text/plain"})
FILE = """\
name: sea
services:
  ship:
    build:
      dockerfile_inline: "FROM scratch"
      additional_contexts: {hull: "service:hull"}
      secrets: [token]
      provenance: %s
  hull: {build: {dockerfile_inline: FROM scratch, no_cache_filter: [x]}}
secrets: {token: {environment: TOKEN}}
"""


@pytest.fixture
def builds(
    engine: FakeEngine, knarr: Knarr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> FakeEngine:
    """Nothing is there yet, and every build succeeds."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yaml").write_text(FILE % "false")
    knarr.environ["TOKEN"] = "t0ken"
    for path in ("/containers/json", "/networks"):
        engine.answers["GET", path] = Answer(body=[])
    engine.answers["GET", "/volumes"] = Answer(body={"Volumes": []})
    for image in ("sea-ship", "sea-hull"):
        engine.answers["GET", f"/images/{image}/json"] = Answer(404, {"message": "none"})
    engine.answers["POST", "/build"] = Answer(chunks=(b'{"stream": "Step 1/1\\n"}\n',))
    return engine


def asked(engine: FakeEngine) -> list[dict[str, str]]:
    return [
        {name: values[-1] for name, values in each.query.items()}
        for each in engine.asked
        if each.path == "/build"
    ]


def test_an_engine_of_our_own_is_told_all(builds: FakeEngine, knarr: Knarr) -> None:
    builds.pong = OURS
    assert knarr("compose", "build", "ship") == 0, knarr.err
    hull, ship = asked(builds)
    assert (hull["t"], ship["t"]) == ("sea-hull", "sea-ship")
    own = json.loads(ship["knarr"])
    assert own["Contexts"] == {"hull": "engine-image://sea-hull"}
    assert own["Extras"] is True
    assert "t0ken" not in json.dumps(ship)
    assert "hull  | Step 1/1\n" in knarr.out


def test_another_engine_refuses_by_name(builds: FakeEngine, knarr: Knarr) -> None:
    assert knarr("compose", "build", "ship") == 1
    assert "services.ship.build.secrets needs knarr's own engine" in knarr.err
    assert knarr("compose", "build", "hull") == 0
    assert "services.hull.build.no_cache_filter has no effect with this engine's" in knarr.err
    assert "image.builder" in asked(builds)[-1]["labels"]


def test_what_knarr_cannot_do_yet_is_refused_by_name(
    builds: FakeEngine, knarr: Knarr, tmp_path: Path
) -> None:
    builds.pong = OURS
    (tmp_path / "compose.yaml").write_text(FILE % "mode=max")
    assert knarr("compose", "build", "ship") == 1
    assert "services.ship.build: knarr cannot do --provenance yet" in knarr.err
    assert knarr("compose", "build", "--sbom", "true", "hull") == 1
    assert "knarr cannot do --sbom yet" in knarr.err
    assert knarr("compose", "build", "--builder", "elsewhere", "hull") == 1
    assert 'no builder "elsewhere" found' in knarr.err
    assert knarr("compose", "build", "--ssh", "id", "hull") == 1
    assert 'invalid ssh key "id"' in knarr.err


def test_a_secret_without_its_variable_is_missed(builds: FakeEngine, knarr: Knarr) -> None:
    builds.pong = OURS
    del knarr.environ["TOKEN"]
    assert knarr("compose", "build", "ship") == 1
    told = 'services.ship.build: environment variable "TOKEN" required by secret "token" is not set'
    assert told in knarr.err


def test_print_shows_what_would_be_built_as_bake_has_it(builds: FakeEngine, knarr: Knarr) -> None:
    assert knarr("compose", "build", "--print", "ship") == 0, knarr.err
    printed = json.loads(knarr.out)
    assert printed["group"] == {"default": {"targets": ["hull", "ship"]}}
    ship = printed["target"]["ship"]
    assert ship["contexts"] == {"hull": "target:hull"}
    assert ship["secret"] == ["id=token,type=env,env=TOKEN"]
    assert (ship["tags"], ship["output"]) == (["sea-ship"], ["type=docker"])
    assert "t0ken" not in knarr.out
    assert not asked(builds)


def test_a_bake_file_has_every_attribute_in_its_words() -> None:
    target = bake_file([section(WHOLE, name="whole")], push=True, check=False)["target"]["whole"]
    labels = target.pop("labels")
    assert labels["of"] == "mine"
    assert "com.docker.compose.image.builder" not in labels
    assert target == {
        "context": "/app",
        "contexts": {"lib": "/app/lib", "made": "target:made", "web": "https://x/y.git"},
        "dockerfile": "/app/Dockerfile",
        "args": {"A": "1"},
        "tags": ["other", "reg/whole:1"],
        "cache-from": ["type=registry,ref=c"],
        "cache-to": ["type=inline"],
        "target": "last",
        "secret": ["id=renamed,type=env,env=TOKEN", "id=text,type=file,src=/app/text"],
        "ssh": ["default=", "other=/run/other"],
        "pull": True,
        "no-cache": True,
        "no-cache-filter": ["one"],
        "network": "none",
        "shm-size": str(64 << 20),
        "ulimits": ["nofile=10:20", "nproc=5"],
        "entitlements": ["network.host", "security.insecure"],
        "extra-hosts": {"a": "1.2.3.4", "b": "::1"},
        "output": ["type=image,push=true"],
    }


def test_a_failed_step_is_told_with_its_service(builds: FakeEngine, knarr: Knarr) -> None:
    failure = b'{"errorDetail": {"message": "no such stage"}, "error": "no such stage"}\n'
    builds.answers["POST", "/build"] = Answer(chunks=(failure,))
    assert knarr("compose", "build", "hull") == 1
    assert "failed to build hull: no such stage" in knarr.err


def test_a_context_elsewhere_needs_an_engine_that_takes_a_dockerfile_beside_it() -> None:
    text = 'build: {context: "https://x/y.git", dockerfile_inline: FROM scratch}'
    source = section(text).source()
    assert (source.remote, source.text) == ("https://x/y.git", b"FROM scratch")


def test_default_platform_must_be_one_of_those_that_are_built() -> None:
    asked = section("build: {context: ., platforms: [linux/amd64]}")
    project = asked.project
    environment = {"DOCKER_DEFAULT_PLATFORM": "linux/arm64"}
    wanting = asked._replace(project=replace(project, environment=environment))
    with pytest.raises(InvalidArgument, match="value set by DOCKER_DEFAULT_PLATFORM: linux/arm64"):
        _ = wanting.platform
