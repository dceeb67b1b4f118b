"""Images made from programs this machine has: nothing is pulled.

Everything is deterministic: the same machine gives the same image ID each time.
"""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

CREATED = "2024-01-01T00:00:00Z"
_PASSWD = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
_GROUP = b"root:x:0:\nnogroup:x:65534:\n"


def layer(files: Mapping[str, bytes | str | None], *, executable: Sequence[str] = ()) -> bytes:
    """A layer's tar: bytes are a file, text the target of a symbolic link, None a directory.

    A name that begins with ``.wh.`` makes a whiteout, as in any layer.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, what in files.items():
            entry = tarfile.TarInfo(name)
            entry.mtime = 1_700_000_000
            if what is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
                tar.addfile(entry)
            elif isinstance(what, str):
                entry.type, entry.mode, entry.linkname = tarfile.SYMTYPE, 0o777, what
                tar.addfile(entry)
            else:
                entry.mode = 0o755 if name in executable else 0o644
                entry.size = len(what)
                tar.addfile(entry, io.BytesIO(what))
    return buffer.getvalue()


def document(layers: Sequence[bytes], config: Mapping[str, Any], **fields: Any) -> bytes:
    """The image config blob over plain layers; its SHA-256 is the image ID."""
    value = {
        "architecture": "amd64",
        "os": "linux",
        "created": CREATED,
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [digest(each) for each in layers]},
        "history": [{"created": CREATED, "created_by": f"layer {n}"} for n in range(len(layers))],
        **fields,
    }
    return json.dumps(value, sort_keys=True).encode()


def docker_archive(layers: Sequence[bytes], config: bytes, tags: Sequence[str]) -> bytes:
    """What `docker save` of before 25 writes, without the legacy files nobody reads."""
    files = {f"{_hex(config)}.json": config}
    names = [f"{_hex(each)}/layer.tar" for each in layers]
    files.update(zip(names, layers, strict=True))
    manifest = [{"Config": f"{_hex(config)}.json", "RepoTags": list(tags), "Layers": names}]
    return archive({**files, "manifest.json": json.dumps(manifest).encode()})


def oci_archive(
    layers: Sequence[bytes],
    config: bytes,
    name: str,
    *,
    media: str = "tar",
    manifest_first: bool = False,
) -> bytes:
    """An OCI layout as a tar; ``layers`` are the blobs (compressed ones with ``media``)."""
    media_type = f"application/vnd.oci.image.layer.v1.{media}"
    manifest = json.dumps({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [_descriptor(media_type, each) for each in layers],
    }).encode()  # fmt: skip
    described = _descriptor("application/vnd.oci.image.manifest.v1+json", manifest)
    described["annotations"] = {"io.containerd.image.name": name}
    index = json.dumps({"schemaVersion": 2, "manifests": [described]}).encode()
    head = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index}
    blobs = {f"blobs/sha256/{_hex(each)}": each for each in (config, manifest, *layers)}
    return archive({**head, **blobs} if manifest_first else {**blobs, **head})


def archive(files: Mapping[str, bytes]) -> bytes:
    """A plain tar of regular files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@cache
def busybox_layer() -> bytes:
    """The machine's static busybox with a link for each applet."""
    program = shutil.which("busybox")
    if program is None:
        raise FileNotFoundError("busybox-static is not installed")
    applets = subprocess.run(
        [program, "--list"], capture_output=True, text=True, check=True
    ).stdout.split()
    folders: dict[str, bytes | str | None] = dict.fromkeys(
        ("bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "usr", "var"), None
    )
    links: dict[str, bytes | str | None] = {
        f"bin/{name}": "busybox" for name in sorted(applets) if name != "busybox"
    }
    files: dict[str, bytes | str | None] = {
        "bin/busybox": Path(program).read_bytes(),
        "etc/passwd": _PASSWD,
        "etc/group": _GROUP,
        "var/www/index.html": b"hello from busybox\n",
    }
    return layer({**folders, **files, **links}, executable=("bin/busybox",))


@cache
def busybox(tag: str = "busybox:latest") -> bytes:
    """A docker archive of a busybox image; `sh` is its command."""
    layers = (busybox_layer(),)
    config = {
        "Cmd": ["sh"],
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    }
    return docker_archive(layers, document(layers, config), (tag,))


def digest(content: bytes) -> str:
    return f"sha256:{_hex(content)}"


def _hex(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}
