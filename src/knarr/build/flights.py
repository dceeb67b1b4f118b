"""One operation once, however many builds want it at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Flights(Generic[T]):
    """Who comes first does the work; who comes later waits for it and gets the same.

    When the first one is cancelled, one of those who wait starts anew.
    """

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Future[T]] = {}

    async def join(self, key: str, work: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """The result, and whether it was done here."""
        while True:
            other = self._under_way.get(key)
            if other is None:
                return await self._fly(key, work), True
            try:
                return await asyncio.shield(other), False
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not other.cancelled() or (task is not None and task.cancelling()):
                    raise

    async def _fly(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        landing: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._under_way[key] = landing
        try:
            result = await work()
        except asyncio.CancelledError:
            landing.cancel()
            raise
        except BaseException as error:
            landing.set_exception(error)
            landing.exception()  # it may be that nobody waits: then it is not "never retrieved"
            raise
        else:
            landing.set_result(result)
            return result
        finally:
            self._under_way.pop(key, None)
