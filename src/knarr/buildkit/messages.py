"""The messages of BuildKit's interfaces that are used here, and of those the fields that are.

Source: moby/buildkit: control.proto, gateway.proto, worker.proto, caps.proto, filesync.proto,
auth.proto, secrets.proto; fsutil: wire.proto, stat.proto; google.rpc.Status.
"""

from dataclasses import dataclass, field
from typing import Annotated

from knarr.buildkit.wire import Message

NANOS = 1_000_000_000


@dataclass(slots=True, kw_only=True)
class Empty(Message):
    """A message without fields, or one of which none matters."""


@dataclass(slots=True, kw_only=True)
class Bytes(Message):
    data: Annotated[bytes, 1] = b""


@dataclass(slots=True, kw_only=True)
class Timestamp(Message):
    seconds: Annotated[int, 1] = 0
    nanos: Annotated[int, 2] = 0

    @classmethod
    def of(cls, time_ns: int) -> "Timestamp":
        return cls(seconds=time_ns // NANOS, nanos=time_ns % NANOS)


# Control


@dataclass(slots=True, kw_only=True)
class CacheEntry(Message):
    type: Annotated[str, 1] = ""
    attrs: Annotated[dict[str, str], 2] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class CacheOptions(Message):
    exports: Annotated[list[CacheEntry], 4] = field(default_factory=list)
    imports: Annotated[list[CacheEntry], 5] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Exporter(Message):
    type: Annotated[str, 1] = ""
    attrs: Annotated[dict[str, str], 2] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Definition(Message):
    """A graph in LLB; only whether there is one."""

    operations: Annotated[list[bytes], 1] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class SolveRequest(Message):
    ref: Annotated[str, 1] = ""
    definition: Annotated[Definition | None, 2] = None
    exporter: Annotated[str, 3] = ""
    exporter_attrs: Annotated[dict[str, str], 4] = field(default_factory=dict)
    session: Annotated[str, 5] = ""
    frontend: Annotated[str, 6] = ""
    frontend_attrs: Annotated[dict[str, str], 7] = field(default_factory=dict)
    cache: Annotated[CacheOptions | None, 8] = None
    entitlements: Annotated[list[str], 9] = field(default_factory=list)
    frontend_inputs: Annotated[dict[str, Definition], 10] = field(default_factory=dict)
    exporters: Annotated[list[Exporter], 13] = field(default_factory=list)

    @property
    def outputs(self) -> list[Exporter]:
        """Newer clients name several."""
        if self.exporters or not self.exporter:
            return self.exporters
        return [Exporter(type=self.exporter, attrs=self.exporter_attrs)]


@dataclass(slots=True, kw_only=True)
class SolveResponse(Message):
    exporter_response: Annotated[dict[str, str], 1] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class StatusRequest(Message):
    ref: Annotated[str, 1] = ""


@dataclass(slots=True, kw_only=True)
class Vertex(Message):
    digest: Annotated[str, 1] = ""
    inputs: Annotated[list[str], 2] = field(default_factory=list)
    name: Annotated[str, 3] = ""
    cached: Annotated[bool, 4] = False
    started: Annotated[Timestamp | None, 5] = None
    completed: Annotated[Timestamp | None, 6] = None
    error: Annotated[str, 7] = ""


@dataclass(slots=True, kw_only=True)
class VertexStatus(Message):
    id: Annotated[str, 1] = ""
    vertex: Annotated[str, 2] = ""
    name: Annotated[str, 3] = ""
    current: Annotated[int, 4] = 0
    total: Annotated[int, 5] = 0
    timestamp: Annotated[Timestamp | None, 6] = None
    started: Annotated[Timestamp | None, 7] = None
    completed: Annotated[Timestamp | None, 8] = None


@dataclass(slots=True, kw_only=True)
class VertexLog(Message):
    vertex: Annotated[str, 1] = ""
    timestamp: Annotated[Timestamp | None, 2] = None
    stream: Annotated[int, 3] = 0
    msg: Annotated[bytes, 4] = b""


@dataclass(slots=True, kw_only=True)
class StatusResponse(Message):
    vertexes: Annotated[list[Vertex], 1] = field(default_factory=list)
    statuses: Annotated[list[VertexStatus], 2] = field(default_factory=list)
    logs: Annotated[list[VertexLog], 3] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Version(Message):
    package: Annotated[str, 1] = ""
    version: Annotated[str, 2] = ""
    revision: Annotated[str, 3] = ""


@dataclass(slots=True, kw_only=True)
class Platform(Message):
    architecture: Annotated[str, 1] = ""
    os: Annotated[str, 2] = ""
    variant: Annotated[str, 3] = ""


@dataclass(slots=True, kw_only=True)
class Worker(Message):
    id: Annotated[str, 1] = ""
    labels: Annotated[dict[str, str], 2] = field(default_factory=dict)
    platforms: Annotated[list[Platform], 3] = field(default_factory=list)
    version: Annotated[Version | None, 5] = None


@dataclass(slots=True, kw_only=True)
class Workers(Message):
    record: Annotated[list[Worker], 1] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Info(Message):
    version: Annotated[Version | None, 1] = None


@dataclass(slots=True, kw_only=True)
class UsageRequest(Message):
    filter: Annotated[list[str], 1] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class UsageRecord(Message):
    id: Annotated[str, 1] = ""
    mutable: Annotated[bool, 2] = False
    in_use: Annotated[bool, 3] = False
    size: Annotated[int, 4] = 0
    created: Annotated[Timestamp | None, 6] = None
    last_used: Annotated[Timestamp | None, 7] = None
    usage_count: Annotated[int, 8] = 0
    description: Annotated[str, 9] = ""
    type: Annotated[str, 10] = ""
    shared: Annotated[bool, 11] = False
    parents: Annotated[list[str], 12] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class UsageResponse(Message):
    record: Annotated[list[UsageRecord], 1] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class PruneRequest(Message):
    filter: Annotated[list[str], 1] = field(default_factory=list)
    all: Annotated[bool, 2] = False
    keep_duration_ns: Annotated[int, 3] = 0
    reserved_bytes: Annotated[int, 4] = 0
    max_used_bytes: Annotated[int, 5] = 0
    min_free_bytes: Annotated[int, 6] = 0


@dataclass(slots=True, kw_only=True)
class Serving(Message):
    """Of grpc.health.v1. status: 1 while all is well."""

    status: Annotated[int, 1] = 0


# The gateway


@dataclass(slots=True, kw_only=True)
class Ref(Message):
    id: Annotated[str, 1] = ""


@dataclass(slots=True, kw_only=True)
class Result(Message):
    ref: Annotated[Ref | None, 3] = None
    metadata: Annotated[dict[str, bytes], 10] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Detail(Message):
    """google.protobuf.Any: something more about an error, of a type that clients may know."""

    type_url: Annotated[str, 1] = ""
    value: Annotated[bytes, 2] = b""


@dataclass(slots=True, kw_only=True)
class RpcStatus(Message):
    code: Annotated[int, 1] = 0
    message: Annotated[str, 2] = ""
    details: Annotated[list[Detail], 3] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class ReturnRequest(Message):
    result: Annotated[Result | None, 1] = None
    error: Annotated[RpcStatus | None, 2] = None


@dataclass(slots=True, kw_only=True)
class BridgeSolve(Message):
    definition: Annotated[Definition | None, 1] = None
    frontend: Annotated[str, 2] = ""
    frontend_opt: Annotated[dict[str, str], 3] = field(default_factory=dict)
    cache_imports: Annotated[list[CacheEntry], 12] = field(default_factory=list)
    frontend_inputs: Annotated[dict[str, Definition], 13] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class BridgeSolved(Message):
    result: Annotated[Result | None, 3] = None


@dataclass(slots=True, kw_only=True)
class Capability(Message):
    id: Annotated[str, 1] = ""
    enabled: Annotated[bool, 2] = False


@dataclass(slots=True, kw_only=True)
class Pong(Message):
    frontend: Annotated[list[Capability], 1] = field(default_factory=list)
    llb: Annotated[list[Capability], 2] = field(default_factory=list)
    workers: Annotated[list[Worker], 3] = field(default_factory=list)


# What the session of a client serves


@dataclass(slots=True, kw_only=True)
class Stat(Message):
    """A file. mode: Go's bits. mtime_ns: since 1970. link: of a link, hard or symbolic."""

    path: Annotated[str, 1] = ""
    mode: Annotated[int, 2] = 0
    uid: Annotated[int, 3] = 0
    gid: Annotated[int, 4] = 0
    size: Annotated[int, 5] = 0
    mtime_ns: Annotated[int, 6] = 0
    link: Annotated[str, 7] = ""
    device_major: Annotated[int, 8] = 0
    device_minor: Annotated[int, 9] = 0
    xattrs: Annotated[dict[str, bytes], 10] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Packet(Message):
    type: Annotated[int, 1] = 0
    stat: Annotated[Stat | None, 2] = None
    id: Annotated[int, 3] = 0
    data: Annotated[bytes, 4] = b""


@dataclass(slots=True, kw_only=True)
class SecretRequest(Message):
    id: Annotated[str, 1] = ""


@dataclass(slots=True, kw_only=True)
class CheckAgent(Message):
    id: Annotated[str, 1] = ""


@dataclass(slots=True, kw_only=True)
class CredentialsRequest(Message):
    host: Annotated[str, 1] = ""


@dataclass(slots=True, kw_only=True)
class Credentials(Message):
    username: Annotated[str, 1] = ""
    secret: Annotated[str, 2] = field(default="", repr=False)
