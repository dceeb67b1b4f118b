import json
from pathlib import Path

import pytest

from knarr.daemon.settings import settings_of
from knarr.errors import InvalidArgument


def test_the_table_of_registries_is_a_file_and_flags(tmp_path: Path) -> None:
    file = tmp_path / "registries.json"
    file.write_text(
        json.dumps({
            "registry-mirrors": ["https://one.example"],
            "insecure-registries": ["10.0.0.0/8"],
            "registries": [{"prefix": "quay.io", "blocked": True}],
        })
    )  # fmt: skip
    settings = settings_of(
        ["--registries", str(file), "--registry-mirror", "https://two.example",
         "--insecure-registry=plain.example"], {},
    ).registries  # fmt: skip
    assert settings.registry_mirrors == ("https://one.example", "https://two.example")
    assert settings.insecure_registries == ("10.0.0.0/8", "plain.example")
    assert settings.registries[0].blocked


def test_a_file_that_was_named_must_be_there_and_readable(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="there is no file"):
        settings_of(["--registries", str(tmp_path / "none")], {})
    broken = tmp_path / "broken"
    broken.write_text("{")
    with pytest.raises(InvalidArgument, match="cannot use"):
        settings_of([], {"KNARR_REGISTRIES": str(broken)})
