"""ARGs that mean something by themselves: platforms, proxies, the epoch, checks. Pure."""

from collections.abc import Mapping
from typing import Final

from knarr.dockerfile.directives import CheckOptions
from knarr.dockerfile.model import Dockerfile
from knarr.dockerfile.plan import BuildOptions
from knarr.dockerfile.platforms import platform_text
from knarr.errors import InvalidArgument

PROXIES: Final = frozenset(
    {"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"}
)  # and the same in lower case


def epoch(global_args: Mapping[str, str], build_args: Mapping[str, str]) -> int | None:
    text = {**global_args, **build_args}.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return None
    if not text.isascii() or not text.isdecimal():
        raise InvalidArgument(f"invalid SOURCE_DATE_EPOCH: {text}")
    return int(text)


def proxies(build_args: Mapping[str, str]) -> dict[str, str]:
    """Each in both cases: some programs read the one, some the other."""
    given = {name: value for name, value in build_args.items() if name.upper() in PROXIES}
    return {
        **{name.lower(): value for name, value in given.items()},
        **{name.upper(): value for name, value in given.items()},
        **given,
    }


def check_options(dockerfile: Dockerfile, build_args: Mapping[str, str]) -> CheckOptions:
    text = build_args.get("BUILDKIT_DOCKERFILE_CHECK")
    if text is None:
        return dockerfile.directives.check
    try:
        return CheckOptions.parse(text)
    except ValueError as error:
        raise InvalidArgument(f"failed to parse check options: {error}") from error


def platform_args(options: BuildOptions) -> dict[str, str]:
    args: dict[str, str] = {}
    for prefix, platform in (("BUILD", options.build_platform), ("TARGET", options.platform)):
        args |= {
            f"{prefix}PLATFORM": platform_text(platform),
            f"{prefix}OS": platform.os,
            f"{prefix}OSVERSION": platform.os_version,
            f"{prefix}ARCH": platform.architecture,
            f"{prefix}VARIANT": platform.variant,
        }
    return args
