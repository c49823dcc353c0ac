"""What whoever starts runs may rely on at a gate, the fake and the real one alike."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import pytest

from scale_app.adapters.gatekeeper import TargetGatekeeper
from scale_app.domain.errors import TargetRefused
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import Source
from scale_app.ports import Gatekeeper
from tests.fakes_load import OpenGate

PLAN = LoadPlan("http://127.0.0.1:1/")


async def no_demo() -> str:
    raise AssertionError


def fake(is_open: bool) -> Gatekeeper:
    gate = OpenGate()
    gate.refusal = (
        None if is_open else TargetRefused("Load to http://127.0.0.1:1/ was refused before a packet was sent.")
    )
    return gate


def real(is_open: bool) -> Gatekeeper:
    return TargetGatekeeper(("127.0.0.1",) if is_open else (), no_demo)


@pytest.mark.parametrize("made", [fake, real])
async def test_an_admitted_target_of_this_machine_is_its_own_address_and_port(
    made: Callable[[bool], Gatekeeper],
) -> None:
    admitted = await made(True).admit(PLAN, recent_s=10.0)
    assert (admitted.url, admitted.source, admitted.one_port) == (PLAN.target_url, Source.HEADER, True)
    assert admitted.networks
    assert all(ipaddress.ip_network(network).is_loopback for network in admitted.networks)


@pytest.mark.parametrize("made", [fake, real])
async def test_a_refusal_is_an_error_with_a_sentence_that_names_the_target(made: Callable[[bool], Gatekeeper]) -> None:
    with pytest.raises(TargetRefused, match=r"^Load to http://127\.0\.0\.1:1/ was refused before a packet was sent"):
        await made(False).admit(PLAN)
