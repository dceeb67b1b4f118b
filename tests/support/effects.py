"""What a request's fields do: rows that say what is sent and where its effect is seen.

A row's document *is* the list of the fields that it covers, so a test can hold all rows together
against the structure that the engine reads: a field without a row is found by its name.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from support.daemon import Daemon
from support.waiting import until

Json = dict[str, Any]


class Box:
    """A container, from outside: its files, its processes, its groups, and what is told of it."""

    def __init__(
        self, daemon: Daemon, container: str, beside: "Boxes", warnings: Iterable[str] = ()
    ) -> None:
        self.daemon, self.id, self.beside = daemon, container, beside
        self.warnings = " ".join(warnings)  # that came with the creation
        self.failure = ""  # why it did not start

    @property
    def told(self) -> Json:
        """What inspect says now."""
        found: Json = self.daemon.ask("GET", f"/containers/{self.id}/json")
        return found

    @cached_property
    def pid(self) -> int:
        return int(self.told["State"]["Pid"])

    def proc(self, name: str) -> str:
        """A file of the first process in the kernel's view: ``status``, ``root/etc/hosts``."""
        return Path(f"/proc/{self.pid}/{name}").read_text()

    def link(self, name: str) -> str:
        return str(Path(f"/proc/{self.pid}/{name}").readlink())

    def status(self, name: str) -> str:
        """A line of ``/proc/PID/status``."""
        lines = dict(line.split(":", 1) for line in self.proc("status").splitlines())
        return " ".join(lines[name].split())

    def inside(self, script: str) -> str:
        """What a shell in all the container's namespaces prints, errors too."""
        done = subprocess.run(
            ["nsenter", f"--target={self.pid}", "--all", "--root", "--wd", "sh", "-c", script],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        return (done.stdout + done.stderr).strip()

    def ran(self, script: str) -> str:
        """The same of a further process, which has the container's groups and rights too."""
        done = self.daemon.docker("exec", self.id, "sh", "-c", script)
        return (done.stdout + done.stderr).strip()

    def group(self, name: str) -> str:
        """A file of its control group: ``memory.limit_in_bytes``."""
        for line in self.proc("cgroup").splitlines():
            _, controllers, path = line.split(":", 2)
            for controller in controllers.split(","):
                file = Path("/sys/fs/cgroup", controller, path.lstrip("/"), name)
                if file.exists():
                    return file.read_text().strip()
        raise AssertionError(f"no {name} in {self.proc('cgroup')}")

    def mount(self, destination: str) -> str:
        """Its line of ``mountinfo``; empty where nothing is mounted there."""
        lines = self.proc("mountinfo").splitlines()
        return next((line for line in reversed(lines) if line.split()[4] == destination), "")

    def log(self) -> str:
        return self.daemon.docker("logs", self.id).stdout


class Boxes:
    """A container for each box that rows name, made when the first of them is looked at.

    bases: what a box is made of besides. ``{NAME}`` in a document is what ``places`` says, or
    the ID of another box. A box that prints ``ready`` is given the time to. Two keys are for us:
    ``version`` is a path's prefix, and what ``may fail`` to start need not.
    """

    def __init__(
        self,
        daemon: Daemon,
        rows: "Iterable[Row]",
        bases: Mapping[str, Json],
        places: Mapping[str, str] | None = None,
    ) -> None:
        self._daemon = daemon
        self._rows = tuple(rows)
        self._bases = bases
        self._places = places or {}
        self._made: dict[str, Box] = {}

    def __getitem__(self, name: str) -> Box:
        if name not in self._made:
            self._start(name)
        return self._made[name]

    def _start(self, name: str) -> None:
        sent = [row.sent for row in self._rows if row.box == name]
        text = json.dumps(merged([{"Image": "busybox"}, self._bases[name], *sent]))
        for other in re.findall(r"\{(\w+)\}", text):
            text = text.replace(f"{{{other}}}", self._places.get(other) or self[other].id)
        body = json.loads(text)
        version, may_fail = body.pop("version", ""), body.pop("may fail", False)
        made = self._daemon.ask("POST", f"{version}/containers/create?name=field-{name}", body)
        box = self._made[name] = Box(self._daemon, made["Id"], self, made["Warnings"])
        status, answer = self._daemon.answer("POST", f"/containers/{box.id}/start")
        box.failure = answer.decode() if status >= 400 else ""
        assert may_fail or not box.failure, box.failure
        if "echo ready" in text:
            until(lambda: "ready" in box.log(), say=box.log)

    def remove(self) -> None:
        for box in self._made.values():
            self._daemon.answer("DELETE", f"/containers/{box.id}?force=1&v=1")


@dataclass(frozen=True, slots=True)
class Row:
    """Fields that are sent together, and what is seen of them.

    seen: looks at the container; what it returns must equal ``expected``.
    box: rows of the same box are merged into one container.
    """

    sent: Json
    seen: Callable[[Box], object]
    expected: object = True
    box: str = "plain"

    @property
    def name(self) -> str:
        return ",".join(_keys(self.sent))


@dataclass(frozen=True, slots=True)
class Refused:
    """Fields that are refused, with a sentence in which ``words`` stand."""

    sent: Json
    status: int
    words: str

    @property
    def name(self) -> str:
        return ",".join(_keys(self.sent))


def _keys(sent: Json, within: str = "") -> Iterable[str]:
    for key, value in sent.items():
        if isinstance(value, dict) and key in ("HostConfig", "NetworkingConfig"):
            yield from _keys(value, f"{key}.")
        else:
            yield within + key


def merged(parts: Iterable[Json]) -> Json:
    """One document of several: maps key by key, lists one after another."""
    whole: Json = {}
    for part in parts:
        _merge(whole, json.loads(json.dumps(part)))
    return whole


def _merge(whole: Json, part: Json) -> None:
    for key, value in part.items():
        before = whole.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            _merge(before, value)
        elif isinstance(before, list) and isinstance(value, list):
            before.extend(value)
        else:
            assert before in (None, value), f"two rows of one box differ about {key}"
            whole[key] = value


def fields(kind: Any, sent: object = None) -> set[str]:
    """The dotted names of a structure's fields; with ``sent``, of those that it has.

    ``[]`` is an element of a list, ``{}`` a value of a map.
    """
    return set(_fields(inspect.type_info(kind), sent))


def _fields(shape: Any, sent: object, at: str = "") -> Iterable[str]:
    match shape:
        case inspect.StructType():
            for field in shape.fields:
                name = f"{at}.{field.encode_name}" if at else field.encode_name
                if sent is None:
                    yield from _fields(field.type, None, name)
                elif isinstance(sent, Mapping) and field.encode_name in sent:
                    yield from _fields(field.type, sent[field.encode_name], name)
        case inspect.UnionType():
            for each in shape.types:
                if not isinstance(each, inspect.NoneType | inspect.CustomType):
                    yield from _fields(each, sent, at)
                    break
        case inspect.VarTupleType() if _holds_structs(shape.item_type):
            for element in _elements(sent):
                yield from _fields(shape.item_type, element, f"{at}[]")
        case inspect.DictType() if _holds_structs(shape.value_type):
            values = sent.values() if isinstance(sent, Mapping) else sent
            for element in _elements(values):
                yield from _fields(shape.value_type, element, f"{at}{{}}")
        case _:
            yield at


def _elements(sent: object) -> Iterable[object]:
    """Where nothing is sent every field counts, as those of one element that is unknown."""
    return sent if isinstance(sent, Iterable) else [None]


def _holds_structs(shape: Any) -> bool:
    match shape:
        case inspect.StructType():
            return True
        case inspect.UnionType():
            return any(_holds_structs(each) for each in shape.types)
        case inspect.VarTupleType():
            return _holds_structs(shape.item_type)
        case _:
            return False


def without_rows(kind: type[msgspec.Struct], rows: Iterable[Row | Refused]) -> set[str]:
    """The fields that no row sends."""
    covered: set[str] = set()
    for row in rows:
        covered |= fields(kind, row.sent)
    return fields(kind) - covered


def refused(row: Refused, answer: tuple[int, bytes]) -> bool:
    """Whether an answer is the refusal that the row tells of."""
    return answer[0] == row.status and row.words in answer[1].decode()
