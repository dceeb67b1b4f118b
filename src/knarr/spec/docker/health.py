"""Health checks: how one is made, and what the last ones said.

Source: Engine API, HealthConfig, Health.
"""

from knarr.spec.document import Document


class HealthConfig(Document, omit_defaults=True):
    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    retries: int = 0
    start_period: int = 0
    start_interval: int = 0


class HealthcheckResult(Document):
    start: str = ""
    end: str = ""
    exit_code: int = 0
    output: str = ""


class Health(Document):
    status: str = ""
    failing_streak: int = 0
    log: tuple[HealthcheckResult, ...] = ()
