"""``images --tree`` as docker 28.2 draws it, in a pipe."""

from typing import Any

from support.fake_engine import Answer, FakeEngine
from unit.cli.conftest import Knarr

BOLD, END = "\x1b[39m\x1b[1m", "\x1b[0m"


def manifest(digit: str, architecture: str, **fields: Any) -> dict[str, Any]:
    platform = {"os": "linux", "architecture": architecture, "variant": fields.pop("variant", "")}
    data = {"Platform": platform, "Containers": fields.pop("containers", None)}
    return {"ID": f"sha256:{digit * 64}", "Kind": "image", "ImageData": data, **fields}


MULTI = {
    "Id": f"sha256:{'ab' * 32}", "RepoTags": ["multi:1", "other:2"], "Size": 123456789,
    "Containers": 1,
    "Manifests": [
        manifest("1", "amd64", Available=True, Size={"Content": 1000000, "Total": 3000000},
                 containers=["c1"]),
        manifest("2", "arm64", variant="v8", Available=False, Size={"Content": 0, "Total": 0}),
        {"ID": f"sha256:{'3' * 64}", "Kind": "attestation", "Available": True,
         "Size": {"Content": 10, "Total": 10}},
    ],
}  # fmt: skip
UNTAGGED = {"Id": f"sha256:{'ef' * 32}", "RepoTags": [], "Size": 5000, "Containers": 0}
TREE = f"""\
WARNING: This is an experimental feature. The output may change and shouldn't be depended on.
                                                              Info ->  U In Use 

{BOLD}IMAGE{END}                   {BOLD}ID{END}             {BOLD}DISK USAGE{END}   \
{BOLD}CONTENT SIZE{END}   {BOLD}EXTRA{END}
multi:1
other:2                 abababababab        123MB            1MB   U    
├─ linux/amd64          111111111111          3MB            1MB   U    
└─ linux/arm64/v8       222222222222           0B             0B        

"""  # noqa: W291
UNTAGGED_LINES = """\
<untagged>              efefefefefef          5kB             0B        

"""  # noqa: W291


def test_platforms_stand_beneath_their_image(engine: FakeEngine, knarr: Knarr) -> None:
    engine.answers["GET", "/images/json"] = Answer(body=[MULTI, UNTAGGED])
    assert knarr("images", "--tree") == 0
    assert knarr.out == TREE
    assert knarr("images", "--tree", "-a") == 0
    assert knarr.out.endswith(TREE + UNTAGGED_LINES)


def test_flags_that_do_not_go_with_it_are_refused(engine: FakeEngine, knarr: Knarr) -> None:
    for flag in ("--no-trunc", "--quiet", "--format=json"):
        assert knarr("images", "--tree", flag) == 1
        assert f"{flag.partition('=')[0]} is not yet supported with --tree" in knarr.err
