import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.errors import InvalidArgument
from knarr.registry.challenge import scope
from knarr.registry.server.logins import TokenMaker, basic_login, parse_htpasswd


def maker(now: float = 1000.0, secret: bytes = b"s" * 32) -> TokenMaker:
    return TokenMaker(secret=secret, clock=lambda: now)


def test_a_token_says_what_it_was_made_for() -> None:
    claim = maker().read(maker().access("anna", [scope("a/b", "pull")], 60), "access")
    assert claim is not None
    assert (claim.user, {str(each) for each in claim.scopes}) == ("anna", {"repository:a/b:pull"})


def test_a_token_ends_and_is_good_for_one_thing() -> None:
    token = maker().access("anna", [], 60)
    assert maker(1059).read(token, "access")
    assert maker(1061).read(token, "access") is None
    assert maker().read(token, "identity") is None
    assert maker(secret=b"t" * 32).read(token, "access") is None


def test_a_token_that_was_changed_is_none() -> None:
    token = maker().access("anna", [], 60)
    packed, _, signature = token.partition(".")
    body = base64.urlsafe_b64decode(packed + "==").replace(b"anna", b"root")
    forged = base64.urlsafe_b64encode(body).decode().rstrip("=")
    assert maker().read(f"{forged}.{signature}", "access") is None
    assert maker().read(packed, "access") is None


@given(st.text(max_size=100))
def test_no_text_is_a_token_by_chance(text: str) -> None:
    assert maker().read(text, "access") is None
    assert basic_login(text) is None or text.lower().startswith("basic ")


def test_a_login_is_read() -> None:
    header = "Basic " + base64.b64encode("anna:p:ö".encode()).decode()
    assert basic_login(header) == ("anna", "p:ö")
    assert basic_login("Bearer x") is None
    assert basic_login("Basic !!!") is None


def test_only_strong_hashes_are_taken() -> None:
    hashed = "$2y$05$HWX2Lyc09ECymV8/VxoU/OH0QHL4a5g6s2MfaQKuDKOdPZJ87DZ4i"
    assert parse_htpasswd(f"# users\n\nanna:{hashed}\n") == {"anna": hashed}
    for weak in ("anna:secret", "anna:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "anna:$apr1$x$y", "x"):
        with pytest.raises(InvalidArgument, match="line 1"):
            parse_htpasswd(weak)
