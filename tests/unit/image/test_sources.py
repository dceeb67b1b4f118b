from knarr.image.sources import AptSource, chosen, parsed

DEB822 = """\
Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb-src
URIs: http://mirror.example/debian
Suites: bookworm
Components: main

Types: deb
Enabled: no
URIs: http://off.example/
Suites: bookworm
Components: main

Types: deb
URIs: https://deb.example/node
Suites: nodistro
Components: main
Architectures: amd64 arm64
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
"""
ONE_LINE = """\
# deb http://commented.example/ bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm-security main # why
deb-src http://mirror.example/debian bookworm main
"""
KEY = "signed-by=/usr/share/keyrings/debian-archive-keyring.gpg"


def test_both_styles_of_sources_are_read() -> None:
    found = parsed({"debian.sources": DEB822, "sources.list": ONE_LINE})
    assert [each.line for each in found] == [
        f"deb [{KEY}] http://mirror.example/debian bookworm main contrib",
        f"deb [{KEY}] http://mirror.example/debian bookworm-updates main contrib",
        "deb [arch=amd64,arm64] https://deb.example/node nodistro main",
        "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm-security main",
    ]


def test_the_machine_s_own_sources_serve_its_suite() -> None:
    found = parsed({"debian.sources": DEB822, "sources.list": ONE_LINE})
    assert [each.suite for each in chosen(found, "bookworm", "bookworm")] == [
        "bookworm", "bookworm-updates", "bookworm-security",
    ]  # fmt: skip


def test_another_suite_comes_from_the_same_archives() -> None:
    found = parsed({"debian.sources": DEB822, "sources.list": ONE_LINE})
    assert [(each.uri, each.suite) for each in chosen(found, "trixie", "bookworm")] == [
        ("http://mirror.example/debian", "trixie"),
        ("http://mirror.example/debian", "trixie-updates"),
        ("http://mirror.example/debian", "trixie-security"),
    ]


def test_without_sources_that_fit_mmdebstrap_is_left_to_choose() -> None:
    assert chosen([AptSource(uri="u", suite="s")], "bookworm", "") == []
