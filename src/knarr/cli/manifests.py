"""Lists of manifests that are being made: kept in files until they are pushed.

Folders, names and contents are docker's, so that either client goes on with the other's lists:
``<config>/manifests/<list>/<manifest>``, JSON of a reference, a descriptor and the manifest.
Source: docker/cli 28, what its ``manifest`` commands write and print.
"""

from __future__ import annotations

import base64
import json
import os
import shutil

from knarr.cli.cli import Cli
from knarr.cli.credentials import header_for
from knarr.client.calls import images
from knarr.client.lean import Any, Final
from knarr.errors import KnarrError, NotFound
from knarr.reference import Reference

Entry = dict[str, Any]

DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEXES: Final = (DOCKER_LIST, OCI_INDEX)
_DESCRIPTOR: Final = ("mediaType", "digest", "size", "urls", "annotations", "data", "platform",
                      "artifactType")  # fmt: skip
_LISTED: Final = ("mediaType", "size", "digest", "urls", "annotations", "platform")
_PLATFORM: Final = ("architecture", "os", "os.version", "os.features", "variant")
_MACHINES: Final = {
    "darwin": "386 amd64 arm arm64", "dragonfly": "amd64", "freebsd": "386 amd64 arm",
    "linux": "386 amd64 arm arm64 loong64 mips mipsle mips64 mips64le ppc64 ppc64le riscv64 s390x",
    "netbsd": "386 amd64 arm", "openbsd": "386 amd64 arm", "plan9": "386 amd64",
    "solaris": "amd64", "windows": "386 amd64 arm arm64",
}  # fmt: skip


def is_known(system: str, machine: str) -> bool:
    """Whether images for this pair exist at all."""
    return machine in _MACHINES.get(system, "").split()


class ManifestLists:
    """The lists in a client's configuration folder."""

    def __init__(self, config_folder: str) -> None:
        self._folder = os.path.join(config_folder, "manifests")

    def entries(self, name: Reference) -> list[Entry]:
        """What a list has so far, by the names of its files. Raises NotFound."""
        folder = self._place(name)
        try:
            files = sorted(os.listdir(folder))
        except FileNotFoundError:
            raise NotFound(f"No such manifest: {name.familiar}") from None
        return [self._read(os.path.join(folder, file)) for file in files]

    def find(self, name: Reference, ref: Reference) -> Entry | None:
        try:
            return self._read(os.path.join(self._place(name), _safe(str(ref))))
        except FileNotFoundError:
            return None

    def names(self) -> list[str]:
        """Of all lists that have been begun here, as people call them."""
        try:
            folders = sorted(os.listdir(self._folder))
        except FileNotFoundError:
            return []
        found = []
        for folder in folders:
            registry, slash, rest = folder.partition("_")
            host, dash, port = registry.rpartition("-")
            registry = f"{host}:{port}" if dash and port.isdecimal() else registry
            path, _, tag = rest.rpartition("-")
            found.append(f"{registry}{slash and '/'}{path.replace('_', '/')}:{tag}")
        return [Reference.parse(each).familiar for each in found]

    def has(self, name: Reference) -> bool:
        return os.path.isdir(self._place(name))

    def put(self, name: Reference, entry: Entry) -> None:
        folder = self._place(name)
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, _safe(entry["Ref"]))
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            json.dump(entry, file, separators=(",", ":"))
        os.replace(f"{path}.new", path)

    def remove(self, name: Reference) -> None:
        """Raises NotFound."""
        try:
            shutil.rmtree(self._place(name))
        except FileNotFoundError:
            raise NotFound(f"No such manifest: {name.familiar}") from None

    def _place(self, name: Reference) -> str:
        return os.path.join(self._folder, _safe(str(name)))

    def _read(self, path: str) -> Entry:
        with open(path, encoding="utf-8") as file:
            try:
                entry: Entry = json.load(file)
            except ValueError as error:
                raise KnarrError(f"{path} cannot be read: {error}: remove the list") from error
        return entry


def _safe(name: str) -> str:
    return name.replace(":", "-").replace("/", "_")


def lists(cli: Cli) -> ManifestLists:
    return ManifestLists(cli.config_folder)


def fetched(cli: Cli, ref: Reference, *, children: bool = False, insecure: bool = False) -> Entry:
    """From the registry: an entry as lists keep it, its children beside it. Raises NotFound."""
    request = images.manifest(
        str(ref), children=children, insecure=insecure, auth=header_for(cli, ref.domain)
    )
    try:
        found = cli.engine.ask(request)
    except NotFound as error:
        if error.answered == 404 and "page not found" not in str(error):
            raise NotFound(f"no such manifest: {ref.familiar}") from error
        raise
    return {**entry_of(found), "children": [entry_of(each) for each in found.get("Children", ())]}


def entry_of(found: dict[str, Any]) -> Entry:
    """A RegistryManifest as docker writes it."""
    entry: Entry = {"Ref": found["Ref"], "Descriptor": ordered(found["Descriptor"], _DESCRIPTOR)}
    raw = found.get("Raw", "")
    document = json.loads(base64.b64decode(raw))
    if found["Descriptor"]["mediaType"] in INDEXES:
        return {**entry, "Raw": raw}
    kind = "OCIManifest" if found["Descriptor"]["mediaType"] == OCI_MANIFEST else "SchemaV2Manifest"
    return {**entry, "Raw": raw, kind: _manifest(document)}


def _manifest(document: dict[str, Any]) -> dict[str, Any]:
    plain = dict(document)
    if "config" in plain:
        plain["config"] = ordered(plain["config"], _DESCRIPTOR)
    plain["layers"] = [ordered(each, _DESCRIPTOR) for each in plain.get("layers", ())]
    return plain


def ordered(descriptor: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Its keys in Go's order, without empty ones."""
    plain = {name: descriptor[name] for name in names if descriptor.get(name)}
    if "platform" in plain:
        plain["platform"] = {
            name: value for name in _PLATFORM if (value := plain["platform"].get(name))
        }
    return plain


def manifest_of(entry: Entry) -> dict[str, Any]:
    """The manifest itself."""
    found: dict[str, Any] = entry.get("SchemaV2Manifest") or entry.get("OCIManifest") or {}
    return found


def index_of(entries: list[Entry]) -> dict[str, Any]:
    """The index that a list becomes: OCI's if its first manifest is."""
    descriptors = [ordered(entry["Descriptor"], _LISTED) for entry in entries]
    oci = bool(descriptors) and descriptors[0]["mediaType"] == OCI_MANIFEST
    return {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX if oci else DOCKER_LIST,
        "manifests": descriptors,
    }


def index_text(index: dict[str, Any]) -> str:
    """As docker prints and pushes it."""
    known = {
        **index, "manifests": [ordered(each, _LISTED) for each in index.get("manifests", ())],
    }  # fmt: skip
    return json.dumps(known, indent=3, ensure_ascii=False)
