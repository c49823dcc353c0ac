"""Kubernetes and the programs of the tests, built from source once and kept: only a fresh machine pays for them.

What a program is made of names it (a digest of its sources and versions), so a changed source is built anew and an
unchanged one never.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.envoy import make_envoy
from tests.cluster.gateway import make_gateway
from tests.cluster.layout import HERE, KUBERNETES, cache_folder
from tests.cluster.oci import Image, write_archive

BUILD_LIMIT_S = 3_000
OAUTH2_PROXY = "oauth2-proxy"
HELM = "helm"
MONITORING = "monitoring"
CONTOUR = "contour"
CONTOUR_MODULE = "github.com/projectcontour/contour"
VERSION = "k8s.io/component-base/version"
MAJOR, MINOR, _ = KUBERNETES.removeprefix("v").split(".")
HELM_MODULE = "helm.sh/helm/v3"
HELM_FLAGS = " ".join(
    f"-X {HELM_MODULE}/pkg/{package}.k8sVersion{part}={number}"
    for package in ("chartutil", "lint/rules")
    for part, number in (("Major", MAJOR), ("Minor", MINOR))
)
KUBERNETES_FLAGS = (
    f"-X {VERSION}.gitVersion={KUBERNETES} -X {VERSION}.gitMajor={MAJOR} -X {VERSION}.gitMinor={MINOR}"
    f" -X {VERSION}.gitTreeState=clean -X k8s.io/client-go/pkg/version.gitVersion={KUBERNETES}"
)


class BuildFailed(Exception):
    """A program could not be built; says which and what the tool printed last."""


@dataclass(frozen=True, slots=True)
class Program:
    """A folder of Go source here. patience: what to tell people who wait for it. package: what of it is built."""

    name: str
    patience: str = "seconds"
    link_flags: str = ""
    package: str = "."


PROGRAMS = (
    Program("kube", "about 11 minutes of one core", KUBERNETES_FLAGS),
    Program("coredns", "about 3 minutes of one core"),
    Program(OAUTH2_PROXY, "about 8 minutes on two busy cores", package="github.com/oauth2-proxy/oauth2-proxy/v7"),
    # With the libraries of the Kubernetes above, which are compiled by then.
    Program(HELM, "a minute of one core", HELM_FLAGS, f"{HELM_MODULE}/cmd/helm"),
    Program(MONITORING, "a minute of one core"),
    Program(CONTOUR, "two minutes of one core", package=f"{CONTOUR_MODULE}/cmd/contour"),
    Program("echo"),
    Program("pause"),
)


def make_programs() -> None:
    """Build what is not there yet, then pack the images. Raises BuildFailed."""
    folder = cache_folder() / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for program in PROGRAMS:
        kept = folder / f"{program.name}-{_fingerprint(HERE / program.name, program.link_flags)}"
        if not kept.exists():
            _build(program, kept)
        _point(folder / program.name, kept)
    _make_images(folder)
    make_envoy()
    make_gateway(folder / CONTOUR, HERE / CONTOUR)


def _build(program: Program, kept: Path) -> None:
    print(f"Building {program.name} (once on this machine; {program.patience}) ...", flush=True)
    unfinished = kept.with_suffix(f".{os.getpid()}")
    linking = ("-ldflags", f"-s -w {program.link_flags}")
    command = ["nice", "go", "build", "-trimpath", *linking, "-o", str(unfinished), program.package]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -mod=readonly"}
    try:
        done = subprocess.run(
            command,
            cwd=HERE / program.name,
            env=environment,
            capture_output=True,
            text=True,
            timeout=BUILD_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BuildFailed(f"{program.name} was not built within {BUILD_LIMIT_S} s.") from None
    if done.returncode:
        raise BuildFailed(f"`go build` of {program.name} failed:\n" + "\n".join(done.stderr.splitlines()[-20:]))
    unfinished.replace(kept)


def _make_images(folder: Path) -> None:
    images = cache_folder() / "images"
    images.mkdir(exist_ok=True)
    for image in _images(folder):
        archive = images / f"{image.name.split('/')[1].split(':')[0]}.tar"
        mark = archive.with_suffix(".made-of")
        made_of = _made_of(image)
        if not archive.exists() or not mark.exists() or mark.read_text() != made_of:
            write_archive(image, archive)
            mark.write_text(made_of)


def _images(folder: Path) -> Sequence[Image]:
    busybox, nginx = Path("/bin/busybox"), Path("/usr/sbin/nginx")
    tools = {f"/bin/{name}": "busybox" for name in ("sh", "cat", "sleep", "ls", "wget", "grep", "id", "env", "date")}
    return (
        Image("scale.test/pause:1", {"/pause": folder / "pause"}, ["/pause"]),
        Image("scale.test/echo:1", {"/echo": folder / "echo"}, ["/echo"]),
        Image("scale.test/echo-cat:1", {"/echo": folder / "echo", "/bin/busybox": busybox}, ["/echo"], tools),
        Image("scale.test/shell:1", {"/bin/busybox": busybox}, ["/bin/sh"], tools),
        Image("scale.test/nginx:1", {"/usr/sbin/nginx": nginx}, ["/usr/sbin/nginx", "-c", "/config/nginx.conf"]),
    )


def _made_of(image: Image) -> str:
    files = (f"{path} {file.resolve()} {file.stat().st_mtime_ns}" for path, file in image.programs.items())
    return "\n".join((image.name, *image.entrypoint, *files, *image.links))


def _fingerprint(folder: Path, extra: str) -> str:
    digest = hashlib.sha256(extra.encode())
    for file in sorted(folder.iterdir()):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _point(link: Path, kept: Path) -> None:
    fresh = link.with_suffix(f".{os.getpid()}")
    fresh.symlink_to(kept.name)
    fresh.replace(link)
