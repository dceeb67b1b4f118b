"""Against registries and clients that others wrote."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.registry.conftest import Desk
from knarr.errors import NotFound, Unauthorized
from knarr.spec.docker.auth import AuthConfig
from support.peers import ANNA, Account, docker_registry, oci_layout, skopeo
from support.registry import digest_of, tar_of

TARS = (tar_of({"etc/motd": b"ahoy\n"}), tar_of({"usr/share/x": b"x" * 100_000}))
LOGIN = AuthConfig(username=ANNA.username, password=ANNA.password)


@pytest.fixture(params=[None, ANNA], ids=["open", "htpasswd"])
def account(request: pytest.FixtureRequest) -> Account | None:
    asked: Account | None = request.param
    return asked


@pytest.fixture
def debians(tmp_path: Path, account: Account | None) -> Iterator[str]:
    folder = tmp_path / "docker-registry"
    folder.mkdir()
    with docker_registry(folder, account) as host:
        yield host


def stock(host: str, folder: Path, account: Account | None) -> None:
    creds = f"{account.username}:{account.password}" if account else ""
    login = ["--dest-creds", creds] if account else ["--dest-no-creds"]
    layout = oci_layout(folder / "layout", *TARS)
    skopeo(
        "copy", "--dest-tls-verify=false", *login,
        f"oci:{layout}:1", f"docker://{host}/team/app:1",
    )  # fmt: skip


@pytest.mark.needs("docker-registry", "skopeo", "htpasswd")
async def test_an_image_is_pulled_from_docker_registry(
    debians: str, desk: Desk, tmp_path: Path, account: Account | None
) -> None:
    stock(debians, tmp_path, account)
    login = LOGIN if account else None
    found = await desk.pull(f"{debians}/team/app:1", login)
    assert set(desk.layers.tars) == {digest_of(tar) for tar in TARS}
    assert found.image.document.architecture == "amd64"
    with pytest.raises(NotFound, match="manifest unknown: manifest unknown"):
        await desk.pull(f"{debians}/team/app:2", login)


@pytest.mark.needs("docker-registry", "htpasswd")
@pytest.mark.parametrize("account", [ANNA], indirect=True)
async def test_docker_registry_refuses_who_has_no_login(debians: str, desk: Desk) -> None:
    with pytest.raises(Unauthorized, match="no basic auth credentials"):
        await desk.pull(f"{debians}/team/app:1")
    wrong = AuthConfig(username=ANNA.username, password="wrong horse")
    with pytest.raises(Unauthorized) as caught:
        await desk.pull(f"{debians}/team/app:1", wrong)
    assert "wrong horse" not in str(caught.value)
