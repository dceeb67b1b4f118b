"""What every test may ask for, and what happens when the machine lacks an ability."""

import os

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # a busy one takes its time
settings.load_profile("any machine")
pytest.register_assert_rewrite("contract", "support")

from support.abilities import lacking  # noqa: E402


def pytest_runtest_setup(item: pytest.Item) -> None:
    """At a desk a missing ability skips; in CI (``KNARR_CI=1``) it fails."""
    for marker in item.iter_markers("needs"):
        for ability in marker.args:
            if (reason := lacking(ability)) is None:
                continue
            if os.environ.get("KNARR_CI"):
                pytest.fail(f"needs {ability}: {reason}", pytrace=False)
            pytest.skip(f"needs {ability}: {reason}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked ``long`` run only when asked for by ``-m long``."""
    if "long" in (config.option.markexpr or ""):
        return
    kept = [item for item in items if item.get_closest_marker("long") is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
