"""The contract, kept by crun."""

import pytest

from contract.runtime import RuntimeContract

pytestmark = pytest.mark.needs("namespaces", "busybox", "crun")


@pytest.fixture(scope="session")
def runtime_name() -> str:
    return "crun"


class TestCrun(RuntimeContract):
    """Every promise, on crun."""
