"""The contract, kept by runc."""

import pytest

from contract.runtime import RuntimeContract

pytestmark = pytest.mark.needs("namespaces", "busybox", "runc")


@pytest.fixture(scope="session")
def runtime_name() -> str:
    return "runc"


class TestRunc(RuntimeContract):
    """Every promise, on runc."""
