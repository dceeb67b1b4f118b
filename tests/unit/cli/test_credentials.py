"""Credentials in the file and with a helper program."""

import base64
import json
import stat
from pathlib import Path

import pytest

from knarr.cli.cli import Cli
from knarr.cli.credentials import HUB_KEY, Credentials, erase, find, header_for, key_of, store
from knarr.errors import Unavailable

HELPER = """\
#!/bin/sh
state={folder}/state
echo "$0 $@" >>{folder}/calls
case $1 in
get) read -r server; [ "$(cat $state 2>/dev/null)" ] || {{
    echo 'credentials not found in native keychain'; exit 1; }}
  cat $state;;
store) cat >$state;;
erase) : >$state;;
esac
"""


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(environ={"DOCKER_CONFIG": str(tmp_path / "config")})


def again(cli: Cli) -> Cli:
    """Another call of the program."""
    return Cli(environ=cli.environ)


def test_credentials_are_kept_in_the_file_and_found_again(cli: Cli) -> None:
    place = store(cli, Credentials(server="reg:5000", username="me", password="a:b"))
    assert place == f"{cli.config_folder}/config.json"
    file = Path(place)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    auth = json.loads(file.read_text())["auths"]["reg:5000"]["auth"]
    assert base64.b64decode(auth) == b"me:a:b"
    found = find(again(cli), "reg:5000")
    assert found == Credentials(server="reg:5000", username="me", password="a:b")


def test_what_else_is_in_the_file_stays(cli: Cli) -> None:
    folder = Path(cli.config_folder)
    folder.mkdir()
    (folder / "config.json").write_text('{"somethingElse": {"a": 1}, "auths": {"x": {}}}')
    store(cli, Credentials(server="y", username="u", password="p"))
    kept = json.loads((folder / "config.json").read_text())
    assert kept["somethingElse"] == {"a": 1}
    assert set(kept["auths"]) == {"x", "y"}


def test_a_registry_is_found_under_its_address_too(cli: Cli) -> None:
    store(cli, Credentials(server="https://reg.example/v2/", username="u", password="p"))
    assert find(again(cli), "reg.example") is not None
    assert find(again(cli), "other.example") is None


def test_the_header_is_an_auth_config_in_base64url(cli: Cli) -> None:
    store(cli, Credentials(server=HUB_KEY, username="ü", password="?>"))
    document = json.loads(base64.urlsafe_b64decode(header_for(again(cli), "docker.io")))
    assert document == {"username": "ü", "password": "?>", "serveraddress": HUB_KEY}
    assert json.loads(base64.urlsafe_b64decode(header_for(again(cli), "nobody"))) == {}


def test_logging_out_forgets(cli: Cli) -> None:
    store(cli, Credentials(server="x", username="u", password="p"))
    assert erase(again(cli), "x")
    assert find(again(cli), "x") is None
    assert not erase(again(cli), "x")


def test_the_environment_beats_the_file(cli: Cli) -> None:
    auth = base64.b64encode(b"env:secret").decode()
    given = json.dumps({"auths": {"x": {"auth": auth}}})
    cli.environ = {**cli.environ, "DOCKER_AUTH_CONFIG": given}
    found = find(cli, "x")
    assert found is not None
    assert found.username == "env"


@pytest.mark.parametrize("name", ["", "docker.io", "index.docker.io"])
def test_the_hub_has_one_key(name: str) -> None:
    assert key_of(name) == HUB_KEY


def helper(folder: Path, name: str, text: str) -> None:
    program = folder / f"docker-credential-{name}"
    program.write_text(text)
    program.chmod(0o755)


def configured(cli: Cli, **values: object) -> Path:
    folder = Path(cli.config_folder)
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values))
    return folder / "config.json"


def test_a_helper_keeps_what_the_file_must_not(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path, "test", HELPER.format(folder=tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    file = configured(cli, credsStore="test")
    assert find(cli, "x") is None
    assert store(again(cli), Credentials(server="x", username="u", password="secret")) == "test"
    assert "secret" not in file.read_text()
    assert json.loads(file.read_text())["auths"] == {"x": {}}
    assert find(again(cli), "x") == Credentials(server="x", username="u", password="secret")
    erase(again(cli), "x")
    assert find(again(cli), "x") is None
    calls = (tmp_path / "calls").read_text()
    assert {line.split()[-1] for line in calls.splitlines()} == {"get", "store", "erase"}
    assert "secret" not in calls, "a secret is told on standard input, never as an argument"


def test_an_identity_token_goes_to_the_helper_under_a_name_of_its_own(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path, "test", HELPER.format(folder=tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    configured(cli, credsStore="test")
    store(again(cli), Credentials(server="x", username="u", identity_token="it"))
    kept = json.loads((tmp_path / "state").read_text())
    assert kept == {"ServerURL": "x", "Username": "<token>", "Secret": "it"}
    assert find(again(cli), "x") == Credentials(server="x", identity_token="it")


def test_a_helper_of_one_registry_beats_the_store_of_all(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "all"):
        said = json.dumps({"ServerURL": "x", "Username": name, "Secret": "s"})
        helper(tmp_path, name, f"#!/bin/sh\ncat >/dev/null; echo '{said}'\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    configured(cli, credsStore="all", credHelpers={"x:5000": "one"})
    users = [found.username for each in ("x:5000", "y") if (found := find(cli, each))]
    assert users == ["one", "all"]


@pytest.mark.parametrize("said", ["nonsense secret", '["secret"]'])
def test_a_helper_that_talks_nonsense_is_named_and_not_quoted(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    helper(tmp_path, "odd", f"#!/bin/sh\necho '{said}'\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    configured(cli, credsStore="odd")
    with pytest.raises(Unavailable, match="docker-credential-odd get") as refused:
        find(cli, "x")
    assert "secret" not in str(refused.value)


def test_a_helper_that_fails_to_keep_a_secret_does_not_tell_it(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path, "bad", "#!/bin/sh\ncat; exit 3\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    configured(cli, credsStore="bad")
    with pytest.raises(Unavailable, match="exit status 3") as refused:
        store(cli, Credentials(server="x", username="u", password="secret"))
    assert "secret" not in str(refused.value)


def test_a_helper_that_is_not_there_is_named(cli: Cli) -> None:
    configured(cli, credsStore="nowhere")
    with pytest.raises(Unavailable, match='"docker-credential-nowhere": No such file'):
        find(cli, "x")
