"""The product's image, built from the project's own Dockerfile by buildah, with no registry.

The Dockerfile's base comes from Debian instead: the same release and Python as that image is made of, installed by
debootstrap and given the base's name. Made once on a machine; the product's image again whenever a file changed that
it is made of.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.binaries import BuildFailed
from tests.cluster.layout import PROJECT, cache_folder

IMAGE_BY = "SCALE_PRODUCT_IMAGE"
"""The environment variable that names the image's archive for the tests."""
IMAGE = "docker.io/library/scale:latest"
RELEASE = "bookworm"
BASE_PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates"
MIRROR = "http://deb.debian.org/debian"
BUILD_LIMIT_S = 1_500
# How this machine reaches package registries: what pip and the page's builder need to know of it inside the build.
FROM_THE_MACHINE = ("/etc/ssl/certs", "/etc/pip.conf")
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def make_product_image() -> Path:
    """The archive of the image, built if need be. Raises BuildFailed."""
    folder = cache_folder() / "product"
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"scale-{_made_of()}.tar"
    if not archive.exists():
        for old in folder.glob("scale-*.tar"):
            old.unlink()
        _make_base()
        _build(archive)
    return archive


def _make_base() -> None:
    if _buildah("images", "--quiet", base_name(), check=False).strip():
        return
    print(f"Making a base image of Debian {RELEASE} (once on this machine; a minute) ...", flush=True)
    with tempfile.TemporaryDirectory(dir=cache_folder()) as scratch, _container("scratch") as container:
        root = Path(scratch) / "root"
        _run("debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", RELEASE, str(root), MIRROR)
        shutil.rmtree(root / "var/cache/apt", ignore_errors=True)
        _buildah("add", "--quiet", container, str(root), "/")
        trusted = [f"--env={name}={AUTHORITIES}" for name in ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")]
        _buildah("config", *trusted, container)
        _buildah("commit", "--quiet", container, base_name())


def _build(archive: Path) -> None:
    print("Building the product's image from its Dockerfile (a few minutes) ...", flush=True)
    mounts = [f"--volume={path}:{path}:ro" for path in FROM_THE_MACHINE if Path(path).exists()]
    isolated = ("--isolation", "chroot", "--network", "host", "--pull-never", "--layers")
    _buildah("build", *isolated, *mounts, "--tag", IMAGE, "--file", str(PROJECT / "Dockerfile"), str(PROJECT))
    unfinished = archive.with_suffix(".unfinished")
    _buildah("push", "--quiet", IMAGE, f"oci-archive:{unfinished}:{IMAGE}")
    unfinished.replace(archive)


def base_name() -> str:
    """What the Dockerfile is FROM unless it is told. Raises BuildFailed when its stages differ in that."""
    text = (PROJECT / "Dockerfile").read_text()
    bases = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE))
    if bases != {"${BASE}"}:
        raise BuildFailed(f"The Dockerfile is FROM {', '.join(sorted(bases))}; one base is known how to make.")
    return f"docker.io/library/{re.findall(r'^ARG BASE=(.+)', text, re.MULTILINE)[0]}"


@contextmanager
def _container(image: str) -> Iterator[str]:
    name = _buildah("from", image).strip()
    try:
        yield name
    finally:
        _buildah("rm", name)


def _made_of() -> str:
    """A digest of every file that the Dockerfile copies."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    digest = hashlib.sha256((PROJECT / "Dockerfile").read_bytes())
    for name in sorted({name for line in copied for name in line.split()}):
        for file in sorted(_files(PROJECT / name)):
            digest.update(str(file.relative_to(PROJECT)).encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts]


def _buildah(*arguments: str, check: bool = True) -> str:
    own = cache_folder() / "buildah"
    # In a mount namespace of its own, so that none of its mounts is left behind, also when it is killed.
    storage = ("--root", str(own / "root"), "--runroot", str(own / "run"))
    return _run("unshare", "--mount", "buildah", *storage, *arguments, check=check)


def _run(*command: str, check: bool = True) -> str:
    environment = {**os.environ, "BUILDAH_FORMAT": "oci", "STORAGE_DRIVER": "overlay"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_LIMIT_S, env=environment, check=False)
    if check and done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        raise BuildFailed(f"`{' '.join(command)}` failed:\n{said}")
    return done.stdout
