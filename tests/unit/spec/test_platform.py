import pytest

from knarr.errors import InvalidArgument
from knarr.spec.oci.platform import machine_platform, parse_platform, platform_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/aarch64", "linux/arm64/v8"),
        ("linux/arm64/v8", "linux/arm64/v8"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("Linux/AMD64", "linux/amd64"),
        ("windows/amd64", "windows/amd64"),
        ("arm64", "linux/arm64/v8"),
        ("s390x", "linux/s390x"),
    ],
)
def test_platforms_have_one_spelling(text: str, shown: str) -> None:
    assert platform_text(parse_platform(text)) == shown


def test_an_operating_system_alone_means_this_machines_architecture() -> None:
    assert parse_platform("linux") == machine_platform()


@pytest.mark.parametrize("text", ["", "linux/", "a/b/c/d", "nonsense", "/amd64"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_platform(text)
