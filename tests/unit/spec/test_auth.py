import base64
import json

import pytest

from knarr.errors import InvalidArgument
from knarr.spec import decode, encode
from knarr.spec.docker.auth import (
    AuthConfig,
    HelperCredentials,
    StoredLogins,
    basic,
    login_for,
    read_config_header,
    read_header,
    server_of,
    write_header,
)


def test_a_header_is_read_as_it_was_written() -> None:
    login = AuthConfig(username="anna", password="p:w/ö?>", serveraddress="r.example")
    assert read_header(write_header(login)) == login


def test_headers_of_other_clients_are_read() -> None:
    body = json.dumps({"username": "anna", "password": "??>>"}).encode()
    for header in (
        base64.b64encode(body).decode(),
        base64.urlsafe_b64encode(body).decode(),
        base64.urlsafe_b64encode(body).decode().rstrip("="),
    ):
        assert read_header(header).password == "??>>"


@pytest.mark.parametrize("header", ["", "e30=", "e30", base64.b64encode(b'{"auth":null}').decode()])
def test_an_empty_header_proves_nothing(header: str) -> None:
    assert not read_header(header)


def test_a_broken_header_is_refused_without_repeating_it() -> None:
    secret = base64.b64encode(b'{"password":"hunter22"').decode()
    with pytest.raises(InvalidArgument) as caught:
        read_header(secret)
    assert "hunter22" not in str(caught.value)
    assert secret not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    login = AuthConfig(username="anna", password="hunter22", identitytoken="it", registrytoken="rt")
    helper = HelperCredentials(server_url="r.example", username="anna", secret="hunter22")
    assert "hunter22" not in f"{login!r} {login} {helper!r}"
    assert b"hunter22" in encode(login)


def test_a_packed_login_is_unpacked() -> None:
    packed = AuthConfig(auth=basic("anna", "pass:word"))
    assert packed.unpacked() == AuthConfig(username="anna", password="pass:word")
    token = AuthConfig(auth=basic("<token>", "abc"))
    assert token.unpacked() == AuthConfig(identitytoken="abc")
    for broken in ("!!", base64.b64encode(b"nocolon").decode()):
        with pytest.raises(InvalidArgument, match="invalid auth configuration"):
            AuthConfig(auth=broken).unpacked()


def test_a_login_is_found_under_every_spelling_of_its_server() -> None:
    hub = AuthConfig(username="hub")
    old = AuthConfig(username="old")
    new = AuthConfig(username="new")
    logins = {server_of("docker.io"): hub, "https://r.example/v1/": old, "n.example:5000": new}
    assert login_for(logins, "docker.io") == hub
    assert login_for(logins, "r.example") == old
    assert login_for(logins, "n.example:5000") == new
    assert not login_for(logins, "n.example")
    assert not login_for(logins, "evil.example")


def test_a_helper_of_one_server_beats_the_store_of_all() -> None:
    stored = decode(
        b'{"auths":{},"credsStore":"desktop","credHelpers":{"gcr.io":"gcloud"}}', StoredLogins
    )
    assert stored.helper("https://index.docker.io/v1/") == "desktop"
    assert stored.helper("gcr.io") == "gcloud"


def test_a_build_brings_several_logins() -> None:
    body = {"a.example": {"auth": basic("anna", "x")}, "b.example": {"identitytoken": "t"}}
    header = base64.urlsafe_b64encode(json.dumps(body).encode()).decode()
    logins = read_config_header(header)
    assert logins["a.example"].username == "anna"
    assert logins["b.example"].identitytoken == "t"
