"""From the flags of ``build`` to what the engine is asked for."""

import base64
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from knarr.cli.building.asking import (
    Asking,
    build_args,
    extras_of,
    platforms_of,
    refuse_for_several,
    refuse_own_flags,
    refuse_unsupported,
)
from knarr.cli.building.caching import cache_targets
from knarr.cli.building.context import Extras, Source
from knarr.cli.building.options import BuildOptions
from knarr.cli.building.outputs import Output
from knarr.errors import InvalidArgument, NotFound, Unsupported


def person(scheme: str = "unix", config: dict[str, Any] | None = None, **environ: str) -> Any:
    """What a command knows of who called it."""
    return SimpleNamespace(
        environ=environ,
        endpoint=lambda: (SimpleNamespace(scheme=scheme, address="/run/knarr.sock"), None),
        config=SimpleNamespace(values=config or {}),
    )


def asking(
    cli: Any = None, *, knarr: bool = True, source: Source | None = None, **flags: Any
) -> Asking:
    options = BuildOptions(**flags)
    cli = cli or person()
    return Asking(
        cli=cli,
        options=options,
        source=source or Source(remote="https://example.org/x.git"),
        extras=extras_of(options, cli),
        knarr=knarr,
        cache_to=cache_targets(options.cache_to),
    )


def query(asked: Asking, *, beside: bool = False) -> dict[str, Any]:
    """The request's query; knarr's own part is read."""
    pairs: dict[str, Any] = dict(parse_qsl(asked.request(beside=beside).query))
    if "knarr" in pairs:
        pairs["knarr"] = json.loads(pairs["knarr"])
    return pairs


def test_only_what_is_asked_for_is_said() -> None:
    assert query(asking()) == {
        "remote": "https://example.org/x.git", "dockerfile": "Dockerfile", "rm": "1",
        "knarr": {"Trace": True, "Project": "https://example.org/x.git Dockerfile"},
    }  # fmt: skip


def test_another_engine_is_told_nothing_of_its_own() -> None:
    assert "knarr" not in query(asking(knarr=False))


def test_limits_go_by_the_querys_names() -> None:
    told = query(asking(memory=1 << 20, cpu_quota=5, cpuset_cpus="0", shm_size=3))
    assert {name: told[name] for name in ("memory", "cpuquota", "cpusetcpus", "shmsize")} == {
        "memory": str(1 << 20), "cpuquota": "5", "cpusetcpus": "0", "shmsize": "3",
    }  # fmt: skip


def test_an_argument_without_a_value_has_the_environments() -> None:
    cli = person(HERE="there")
    assert build_args(BuildOptions(build_arg=("A=b=c", "HERE", "NOT")), cli) == {
        "A": "b=c", "HERE": "there", "NOT": None,
    }  # fmt: skip


def test_several_platforms_go_together_each_once() -> None:
    several = "linux/amd64, linux/386,linux/amd64"
    assert query(asking(platform=several))["platform"] == "linux/amd64,linux/386"
    cli = person(DOCKER_DEFAULT_PLATFORM="linux/arm64")
    assert platforms_of(BuildOptions(), cli) == ("linux/arm64",)
    assert platforms_of(BuildOptions(platform="linux/386"), cli) == ("linux/386",)


def test_several_platforms_are_refused_where_there_is_no_place_for_them() -> None:
    with pytest.raises(InvalidArgument, match="give it one with -t"):
        refuse_for_several(BuildOptions(), ())
    named = BuildOptions(tag=("x",))
    refuse_for_several(named, (Output.parse("type=oci,dest=x"),))
    with pytest.raises(Unsupported, match="type=local is for one platform"):
        refuse_for_several(named, (Output.parse("out"),))
    with pytest.raises(Unsupported, match="one platform at a time"):
        refuse_for_several(BuildOptions(tag=("x",), debug_step=2), ())


def test_knarrs_own_flags_need_its_engine() -> None:
    refuse_own_flags(BuildOptions(tag=("x",)))
    for flags in ({"secret": ("id=x",)}, {"timeout": 3}, {"debug_step": 1}, {"explain": True}):
        (name,) = flags
        with pytest.raises(Unsupported, match=f"--{name.replace('_', '-')} needs knarr's own"):
            refuse_own_flags(BuildOptions(**flags))


def test_what_would_go_unnoticed_is_refused() -> None:
    refuse_unsupported(BuildOptions(provenance="false", sbom="0"))
    with pytest.raises(Unsupported, match="--provenance"):
        refuse_unsupported(BuildOptions(provenance="true"))
    with pytest.raises(Unsupported, match=r"--security-opt is not for builds.*--allow"):
        refuse_unsupported(BuildOptions(security_opt=("seccomp=unconfined",)))


def test_secrets_come_from_files_and_variables(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"K\n")
    cli = person(TOKEN="t", named="n")
    flags = (f"id=file,src={tmp_path}/key", "id=token,env=TOKEN", "id=named")
    extras = extras_of(BuildOptions(secret=flags), cli)
    assert extras.secrets == {"file": b"K\n", "token": b"t", "named": b"n"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("id=x,color=red", "unexpected key 'color'"),
        ("type=env", "secret missing 'id'"),
        ("id=a/b", "invalid secret id 'a/b'"),
        ("id=x,env=NOT_THERE", "secret x: there is no variable NOT_THERE"),
        ("id=x,src=/not/there", "failed to stat /not/there"),
    ],
)
def test_a_secret_that_makes_no_sense_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        extras_of(BuildOptions(secret=(text,)), person())


def test_a_secret_has_a_bound(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * (500 * 1024 + 1))
    with pytest.raises(InvalidArgument, match="more than 500 KiB"):
        extras_of(BuildOptions(secret=(f"id=x,src={tmp_path}/large",)), person())


def test_named_contexts_are_folders_or_addresses(tmp_path: Path) -> None:
    given = (f"Lib={tmp_path}", "base=docker-image://debian")
    asked = asking(build_context=given)
    assert asked.extras == Extras(folders={"lib": str(tmp_path)})
    assert query(asked)["knarr"]["Contexts"] == {"base": "docker-image://debian"}
    with pytest.raises(InvalidArgument, match="expected key=value"):
        asking(build_context=("lib",))
    with pytest.raises(NotFound, match="path /not/there not found"):
        asking(build_context=("lib=/not/there",))


def test_a_folder_is_told_by_what_the_engine_will_see_there(tmp_path: Path) -> None:
    asked = asking(source=Source(folder=str(tmp_path)))
    there = tmp_path.stat()
    told = query(asked, beside=True)["knarr"]
    assert asked.sees_folder
    assert told["Folder"] == {
        "Path": str(tmp_path), "Device": there.st_dev, "Inode": there.st_ino,
    }  # fmt: skip
    assert "Folder" not in query(asked, beside=False)["knarr"]
    assert not asking(person("ssh"), source=Source(folder=str(tmp_path))).sees_folder
    assert not asking(knarr=False, source=Source(folder=str(tmp_path))).sees_folder


def test_agents_are_sockets_of_this_machine() -> None:
    cli = person(SSH_AUTH_SOCK="/run/agent")
    assert query(asking(cli, ssh=("default", "deploy=/run/other")))["knarr"]["Agents"] == {
        "default": "/run/agent", "deploy": "/run/other",
    }  # fmt: skip
    with pytest.raises(InvalidArgument, match="make sure SSH_AUTH_SOCK is set"):
        query(asking(ssh=("default",)))
    with pytest.raises(Unsupported, match="is a key, not an agent's socket: load it with ssh-add"):
        query(asking(ssh=(f"default={__file__}",)))
    with pytest.raises(Unsupported, match="needs an engine on this machine"):
        query(asking(person("tcp", SSH_AUTH_SOCK="/run/agent"), ssh=("default",)))


def test_logins_go_along_and_empty_ones_do_not() -> None:
    auths = {"registry.example.org": {"auth": "eDp5"}, "other": {}}
    (_, header) = asking(person(config={"auths": auths})).request(beside=False).headers[-1]
    assert json.loads(base64.b64decode(header)) == {"registry.example.org": {"auth": "eDp5"}}
    assert len(asking().request(beside=False).headers) == 1


def test_what_comes_beside_a_remote_context_is_announced() -> None:
    remote = Source(remote="https://example.org/x.git", dockerfile=".d", text=b"FROM scratch\n")
    asked = asking(source=remote)
    assert query(asked)["knarr"]["Extras"] is True
    assert b"FROM scratch" in b"".join(asked.request(beside=False).body)
    with pytest.raises(Unsupported, match="apart from its remote context needs knarr's engine"):
        query(asking(source=remote, knarr=False))


def test_a_build_is_known_again_by_its_name_or_its_place() -> None:
    assert "Project" not in query(asking(tag=("app",)))["knarr"]
    told = query(asking(source=Source(folder="/src"), target="test"))["knarr"]
    assert told["Project"] == "/src Dockerfile test"


def test_a_cache_that_goes_elsewhere_gets_a_name_for_the_way() -> None:
    told = query(asking(cache_to=("type=local,dest=/c,mode=max",)))["knarr"]
    assert told["CacheTo"]
    assert told["CacheWhole"] is True
    assert query(asking(cache_to=("type=inline",)))["knarr"]["InlineCache"] is True
