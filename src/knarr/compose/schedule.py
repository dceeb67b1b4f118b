"""Actions in the order of their plan, as many at once as may be.

Threads, since each action waits for the engine most of its time. The first failure stops what has
not begun; what is under way ends.
"""

import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue

from knarr.compose.actions import Action

Finished = tuple[Action, BaseException | None]


def run(
    actions: Iterable[Action], act: Callable[[Action], None], *, at_once: int = 16
) -> BaseException | None:
    """Carry all out. Returns what the first that failed raised; None when all went well."""
    waiting = {action.key: action for action in actions}
    done: set[str] = set()
    missing = {
        key: {each for each in action.after if each in waiting} for key, action in waiting.items()
    }
    results: SimpleQueue[Finished] = SimpleQueue()
    under_way = 0
    failure: BaseException | None = None
    while waiting or under_way:
        if failure is None:
            ready = [key for key in waiting if not missing[key] - done]
            for key in ready[: max(0, at_once - under_way)]:
                under_way += 1
                _spawn(waiting.pop(key), act, results)
        if not under_way:
            break
        action, error = results.get()
        under_way -= 1
        done.add(action.key)
        failure = failure or error
    return failure


def _spawn(action: Action, act: Callable[[Action], None], results: "SimpleQueue[Finished]") -> None:
    def work() -> None:
        try:
            act(action)
        except BaseException as error:  # whatever it is, the main thread tells it
            results.put((action, error))
        else:
            results.put((action, None))

    threading.Thread(target=work, name=action.key, daemon=True).start()
