"""Contexts on disk, as docker's own client reads and writes them."""

import json
from pathlib import Path

import pytest

from knarr.cli.contexts import Context, ContextStore
from knarr.errors import InvalidArgument, NotFound
from unit.cli.conftest import Knarr


@pytest.fixture
def store(knarr: Knarr) -> ContextStore:
    del knarr.environ["DOCKER_HOST"]
    knarr.environ["KNARR_RUN_ROOT"] = "/nonexistent/run"
    return ContextStore(knarr.environ["DOCKER_CONFIG"])


def test_a_context_has_the_files_that_docker_looks_for(knarr: Knarr, store: ContextStore) -> None:
    assert (
        knarr("context", "create", "foo", "--docker", "host=tcp://h:1", "--description", "d") == 0
    )
    assert (knarr.out, knarr.err) == ("foo\n", 'Successfully created context "foo"\n')
    digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    path = Path(knarr.environ["DOCKER_CONFIG"], "contexts", "meta", digest, "meta.json")
    assert json.loads(path.read_text()) == {
        "Name": "foo",
        "Metadata": {"Description": "d"},
        "Endpoints": {"docker": {"Host": "tcp://h:1", "SkipTLSVerify": False}},
    }


def test_what_other_clients_keep_in_a_context_stays(knarr: Knarr, store: ContextStore) -> None:
    store.put(Context(name="foo", host="unix:///a", metadata={"StackOrchestrator": "x"}))
    assert knarr("context", "update", "foo", "--description", "new") == 0
    assert store.get("foo").document()["Metadata"] == {
        "StackOrchestrator": "x",
        "Description": "new",
    }


def test_the_current_context_names_the_engine(knarr: Knarr, store: ContextStore) -> None:
    store.put(Context(name="foo", host="unix:///nonexistent/foo.sock"))
    assert knarr("context", "use", "foo") == 0
    assert knarr("ps") == 1
    assert "unix:///nonexistent/foo.sock" in knarr.err
    knarr.environ["DOCKER_HOST"] = "unix:///nonexistent/other.sock"
    knarr("ps")
    assert "other.sock" in knarr.err, "DOCKER_HOST beats the current context"
    knarr("-c", "foo", "ps")
    assert "foo.sock" in knarr.err, "--context beats DOCKER_HOST"


def test_a_context_in_use_is_removed_only_by_force(knarr: Knarr, store: ContextStore) -> None:
    store.put(Context(name="foo", host="unix:///a"))
    knarr("context", "use", "foo")
    assert knarr("context", "rm", "foo") == 1
    assert knarr.err == 'context "foo" is in use, set -f flag to force remove\n'
    assert knarr("context", "rm", "-f", "foo") == 0
    assert knarr("context", "show") == 0
    assert knarr.out == "default\n"


def test_tls_files_are_copied_and_readable_by_their_owner_alone(
    knarr: Knarr, store: ContextStore, tmp_path: Path
) -> None:
    (tmp_path / "ca").write_text("CA")
    docker = f"host=tcp://h:1,ca={tmp_path}/ca,skip-tls-verify=true"
    assert knarr("context", "create", "foo", "--docker", docker) == 0
    file = Path(store.tls_folder("foo"), "docker", "ca.pem")
    assert file.read_text() == "CA"
    assert file.stat().st_mode & 0o777 == 0o600
    endpoint = store.endpoint("foo")
    assert endpoint.tls is not None
    assert (endpoint.tls.ca, endpoint.tls.verify) == (str(file), False)


def test_a_context_goes_out_and_comes_back(
    knarr: Knarr, store: ContextStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store.put(Context(name="foo", description="d", host="tcp://h:1"))
    store.put_tls("foo", {"ca.pem": b"CA", "key.pem": b"KEY"})
    assert knarr("context", "export", "foo") == 0
    assert knarr.err == 'Written file "foo.dockercontext"\n'
    assert knarr("context", "export", "foo") == 1, "no file is written over"
    assert knarr("context", "import", "bar", "foo.dockercontext") == 0
    assert store.get("bar") == Context(name="bar", description="d", host="tcp://h:1")
    assert store.tls_files("bar") == {"ca.pem": b"CA", "key.pem": b"KEY"}


def test_an_archive_that_climbs_out_is_refused(
    knarr: Knarr, store: ContextStore, tmp_path: Path
) -> None:
    import io
    import tarfile

    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        entry = tarfile.TarInfo("tls/docker/../../../evil")
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    assert knarr("context", "import", "bar", str(tmp_path / "bad.tar")) == 1
    assert "unexpected context file" in knarr.err
    assert not store.exists("bar")


@pytest.mark.parametrize("name", ["default", "bad/name", "x", ".x", ""])
def test_names_that_no_context_may_have_are_refused(
    knarr: Knarr, store: ContextStore, name: str
) -> None:
    assert knarr("context", "create", name, "--docker", "host=unix:///x") == 1
    assert store.names() == []


def test_an_unknown_context_is_told_with_its_file(store: ContextStore) -> None:
    with pytest.raises(NotFound, match=r'context "foo": context not found: open .*/meta\.json'):
        store.get("foo")


def test_a_broken_file_is_named(store: ContextStore) -> None:
    folder = Path(store.meta_folder("foo"))
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text("{")
    with pytest.raises(InvalidArgument, match=r"parsing .*meta\.json"):
        store.get("foo")
