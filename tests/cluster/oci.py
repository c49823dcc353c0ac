"""Programs packed as images without any registry or container engine: one layer in an OCI archive.

Format: OCI image layout 1.0 (https://github.com/opencontainers/image-spec/blob/main/image-layout.md).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
USERS = b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
GROUPS = b"root:x:0:\nnogroup:x:65534:\n"
NOBODY = "65534:65534"
MEDIA = "application/vnd.oci.image"


@dataclass(frozen=True, slots=True)
class Image:
    """programs: {path in the image: file here}; libraries that they need come along. links: {path: target}."""

    name: str
    programs: Mapping[str, Path]
    entrypoint: Sequence[str]
    links: Mapping[str, str] = field(default_factory=dict)
    user: str = NOBODY


def write_archive(image: Image, archive: Path) -> None:
    """Write the image; the archive appears whole or not at all."""
    layer = _layer(image)
    config = {
        "architecture": _architecture(),
        "os": "linux",
        "config": {"Entrypoint": list(image.entrypoint), "Env": ["PATH=/usr/sbin:/usr/bin:/bin"], "User": image.user},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    blobs = {_digest(layer): layer}
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{MEDIA}.manifest.v1+json",
        "config": _blob(blobs, f"{MEDIA}.config.v1+json", config),
        "layers": [{"mediaType": f"{MEDIA}.layer.v1.tar", "digest": _digest(layer), "size": len(layer)}],
    }
    listed = _blob(blobs, f"{MEDIA}.manifest.v1+json", manifest)
    listed["annotations"] = {
        "io.containerd.image.name": image.name,
        "org.opencontainers.image.ref.name": image.name.rsplit(":", 1)[1],
    }
    unfinished = archive.with_suffix(".unfinished")
    with tarfile.open(unfinished, "w") as tar:
        _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": [listed]}).encode())
        for digest, content in blobs.items():
            _add(tar, f"blobs/sha256/{digest.removeprefix('sha256:')}", content)
    unfinished.replace(archive)


def _layer(image: Image) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder in ("etc", "proc", "sys", "dev", "var", "run"):
            _add_folder(tar, folder, 0o755)
        _add_folder(tar, "tmp", 0o1777)
        _add(tar, "etc/passwd", USERS)
        _add(tar, "etc/group", GROUPS)
        for path, file in _with_libraries(image.programs).items():
            _add(tar, path.lstrip("/"), file.read_bytes(), 0o755)
        for path, target in image.links.items():
            link = tarfile.TarInfo(path.lstrip("/"))
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
    return buffer.getvalue()


def _with_libraries(programs: Mapping[str, Path]) -> dict[str, Path]:
    found = dict(programs)
    for file in programs.values():
        told = subprocess.run(["ldd", str(file)], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"(/\S+) \(0x", told):
            found[library] = Path(os.path.realpath(library))
    return found


def _blob(blobs: dict[str, bytes], media_type: str, document: object) -> dict[str, object]:
    """Put the document among the blobs; its descriptor."""
    content = json.dumps(document).encode()
    blobs[_digest(content)] = content
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _add(tar: tarfile.TarFile, path: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def _add_folder(tar: tarfile.TarFile, path: str, mode: int) -> None:
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    tar.addfile(entry)


def _architecture() -> str:
    return MACHINES.get(platform.machine(), platform.machine())
