"""Whether and when a container is started again, without anybody asking.

Source: Engine API, HostConfig.RestartPolicy; docker run reference, "Restart policies".
"""

from typing import Final

from knarr.spec.docker.container import RestartPolicy

FIRST_DELAY_MS: Final = 100
_LONGEST_DELAY_MS: Final = 60_000
_STEADY_SECONDS: Final = 10  # who ran that long was no failed start


def restarts(
    policy: RestartPolicy | None, *, exit_code: int, restart_count: int, stopped_by_user: bool
) -> bool:
    """Whether a container that has just ended is started again.

    restart_count: how often this happened since somebody started it.
    """
    if policy is None or stopped_by_user:
        return False
    match policy.name:
        case "always" | "unless-stopped":
            return True
        case "on-failure":
            most = policy.maximum_retry_count
            return exit_code != 0 and (not most or restart_count < most)
        case _:
            return False


def starts_with_the_daemon(
    policy: RestartPolicy | None, *, has_run: bool, exit_code: int, stopped_by_user: bool
) -> bool:
    """Whether a container that does not run is started when the daemon (or the machine) starts.

    Here ``always`` means even what a person stopped; what never ran stays as it is.
    """
    if policy is None or not has_run:
        return False
    match policy.name:
        case "always":
            return True
        case "unless-stopped":
            return not stopped_by_user
        case "on-failure":
            return exit_code != 0 and not stopped_by_user
        case _:
            return False


def next_delay_ms(previous_ms: int, ran_seconds: float) -> int:
    """Milliseconds to wait before the next start: doubled each time, up to a minute.

    previous_ms: what was waited last time, 0 for the first. ran_seconds: how long it ran then.
    """
    if not previous_ms or ran_seconds >= _STEADY_SECONDS:
        return FIRST_DELAY_MS
    return min(previous_ms * 2, _LONGEST_DELAY_MS)
