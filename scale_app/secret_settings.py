"""The operator's secrets, and where each may go: the part of the environment that says so."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping

from scale_app.domain.admission import host_of, names_this_machine
from scale_app.domain.errors import SettingsError
from scale_app.domain.secret import BINDING_SUFFIX, LEAST_CHARACTERS, VALUE, Secret, is_secret_name
from scale_app.settings import TARGETS_ACCEPTED, Settings, read_setting, read_targets


def load_secrets(environment: Mapping[str, str] = os.environ, installation: Collection[str] = ()) -> tuple[Secret, ...]:
    """SCALE_SECRET_<NAME> with SCALE_SECRET_<NAME>_FOR; one that has only one of the two may go nowhere.

    installation: its own names. Raises SettingsError, which never holds a value, also for a binding to this machine.
    """
    known = {name.removesuffix(BINDING_SUFFIX) for name in environment}
    found = tuple(_secret(name, environment) for name in sorted(known) if is_secret_name(name))
    for secret in found:
        check_elsewhere(secret, installation)
    return found


def own_names(settings: Settings) -> tuple[str, ...]:
    """Host names of this installation that are known, those of whole domains left out."""
    known = (*settings.allowed_hosts, host_of(settings.public_url))
    return tuple(name for name in known if name and not name.startswith("*."))


def check_elsewhere(
    secret: Secret, installation: Collection[str], is_own: Callable[[str], bool] = lambda _: False
) -> None:
    """Raise SettingsError for a secret that is bound to this machine. is_own: tells whether an address, which is not
    loopback's, is this machine's."""
    for target in secret.targets:
        if names_this_machine(target, installation, is_own):
            raise SettingsError(
                f"{secret.name}{BINDING_SUFFIX} = {target!r} is not accepted: that is this machine, to which a secret "
                "is never sent. Name the machines of the targets, or leave it out."
            )


def _secret(name: str, environment: Mapping[str, str]) -> Secret:
    nowhere: tuple[str, ...] = ()
    targets = read_setting(environment, f"{name}{BINDING_SUFFIX}", nowhere, read_targets, TARGETS_ACCEPTED)
    value = environment.get(name, "")
    if targets and value and (len(value) < LEAST_CHARACTERS or not VALUE.fullmatch(value)):
        raise SettingsError(
            f"{name} is not accepted: a secret is one line of printable ASCII with at least {LEAST_CHARACTERS} "
            "characters, so that it can be told from other words in what comes back (the value is not shown)."
        )
    return Secret(name, value, targets)
