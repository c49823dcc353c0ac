"""Which locustfile a plan may name."""

from __future__ import annotations

import pytest

from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan


def test_a_plan_may_name_a_file_that_keeps_its_connections() -> None:
    assert LoadPlan(locustfile="checkout-2.py", requests_per_connection=None).locustfile == "checkout-2.py"


@pytest.mark.parametrize("name", ["../x.py", "/etc/x.py", "a/b.py", ".py", "x.txt", "x.py\n", "x\0.py", 5])
def test_a_path_is_no_name(name: object) -> None:
    with pytest.raises(PlanError, match="locustfile"):
        LoadPlan(locustfile=name, requests_per_connection=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["requests_per_connection", "arrivals_per_s"])
def test_what_locust_s_clients_cannot_do_is_not_asked_of_them(field: str) -> None:
    fields = {"requests_per_connection": None, field: 5}
    with pytest.raises(PlanError, match=field):
        LoadPlan(locustfile="x.py", **fields)  # type: ignore[arg-type]
