"""What an idle engine does not load: rooms that wait for the first who asks for them."""

import ast
import importlib
import inspect
import subprocess
import sys
from types import ModuleType

import pytest

LATER = (
    "knarr.build.solver", "knarr.buildkit.gateway", "knarr.dockerfile", "knarr.image.archives",
    "knarr.image.bootstrap", "knarr.image.exchange", "knarr.image.looking", "knarr.registry.client",
    "knarr.registry.server", "knarr.upkeep.fsck",
    "urllib3", "http.client", "email", "html", "xml", "h2", "zipfile",
)  # fmt: skip
_DAEMON = "import knarr.daemon.__main__; from knarr.api import import_routes; import_routes()"
_SHOW = "import sys; print(*sys.modules)"


def loaded(code: str) -> set[str]:
    """The modules of a process that has run ``code``, each also as the packages it is in."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {_SHOW}"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_daemon_with_all_its_routes_loads_no_room_that_can_wait() -> None:
    names = loaded(_DAEMON)
    assert "knarr.api.build" in names
    assert "knarr.daemon.assemble" in names
    assert names & set(LATER) == set()


def test_the_keeper_loads_nothing_that_it_could_do_without() -> None:
    assert (
        loaded("import knarr.keeper.main") & {"dataclasses", "inspect", "logging", "asyncio"}
        == set()
    )


@pytest.mark.parametrize("name", ["build", "image", "registry", "upkeep"])
def test_a_door_that_opens_later_has_what_it_says(name: str) -> None:
    room = importlib.import_module(f"knarr.{name}")
    declared, opened = _declared(room), _opened(room)
    assert opened == declared
    assert set(room.__all__) == {each for names in declared.values() for each in names}
    for file, names in declared.items():
        module = importlib.import_module(f"knarr.{name}.{file}")
        for each in names:
            assert getattr(room, each) is getattr(module, each)
    assert not hasattr(room, "NothingOfThisName")


def _choice(room: ModuleType) -> ast.If:
    (choice,) = (
        each for each in ast.parse(inspect.getsource(room)).body if isinstance(each, ast.If)
    )
    return choice


def _declared(room: ModuleType) -> dict[str, set[str]]:
    """What the type checker is told: names by file."""
    found = {}
    for each in _choice(room).body:
        assert isinstance(each, ast.ImportFrom)
        assert each.module is not None
        found[each.module.removeprefix(f"{room.__name__}.")] = {name.name for name in each.names}
    return found


def _opened(room: ModuleType) -> dict[str, set[str]]:
    """What is done at run time: the same."""
    (assignment,) = _choice(room).orelse
    assert isinstance(assignment, ast.Assign)
    assert isinstance(assignment.value, ast.Call)
    places = ast.literal_eval(assignment.value.args[1])
    return {file: set(names.split()) for file, names in places.items()}
