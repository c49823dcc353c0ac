"""Opens the package's client from a kubeconfig or the pod's own account. Imported on first use: it is heavy."""

from __future__ import annotations

import os
from pathlib import Path

from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import incluster_config, kube_config

POD_NAMESPACE = Path(incluster_config.SERVICE_TOKEN_FILENAME).with_name("namespace")


async def open_api(config: str, context: str) -> tuple[ApiClient, str]:
    """A configured client, and the namespace that it is meant for. Raises whatever the package raises."""
    configuration, namespace = await _read(config, context)
    try:
        return ApiClient(configuration), namespace
    finally:
        # The package writes keys to files, where TLS reads them. That is done, so they need not stay on the disk.
        kube_config._cleanup_temp_files()


async def renew(configuration: Configuration, config: str, context: str) -> None:
    """Take up the token as it is now. Raises whatever the package raises."""
    try:
        fresh, _ = await _read(config, context)
    finally:
        kube_config._cleanup_temp_files()
    configuration.api_key = fresh.api_key
    configuration.refresh_api_key_hook = fresh.refresh_api_key_hook  # it holds the pod's token, the old one before


async def _read(config: str, context: str) -> tuple[Configuration, str]:
    configuration = Configuration()
    if config == "in-cluster":
        incluster_config.load_incluster_config(configuration)
        return configuration, _pod_namespace()
    if not _any_file(config):
        raise FileNotFoundError(config)  # the package would tell its log instead, and go on
    loader = await kube_config.load_kube_config(config, context or None, configuration, persist_config=False)
    return configuration, str(loader.current_context["context"].get("namespace") or "default")


def _any_file(config: str) -> bool:
    """The package takes several files, as KUBECONFIG does."""
    return any(Path(part).expanduser().is_file() for part in config.split(os.pathsep))


def _pod_namespace() -> str:
    return POD_NAMESPACE.read_text().strip() if POD_NAMESPACE.exists() else "default"
