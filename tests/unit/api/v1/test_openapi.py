"""The document says what the server does: every route, every refusal, every field with its meaning."""

from __future__ import annotations

from typing import Any

from starlette.routing import Route, WebSocketRoute

from scale_app.api.routes import api_app
from scale_app.codec import meanings_of
from tests.unit.api.conftest import Site


def document(site: Site) -> dict[str, Any]:
    response = site.client.get("/openapi.json")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    found: dict[str, Any] = response.json()
    return found


def test_every_route_is_documented_and_no_other(site: Site) -> None:
    served = set()
    for route in api_app(site.harness.hub).routes:
        assert isinstance(route, (Route, WebSocketRoute))
        methods = (route.methods or set()) - {"HEAD"} if isinstance(route, Route) else {"GET"}
        served |= {(method, route.path) for method in methods if route.path.startswith("/api/")}
    served = {pair for pair in served if "{rest:path}" not in pair[1] and not pair[1].startswith("/api/docs")}
    documented = {(method.upper(), path) for path, methods in document(site)["paths"].items() for method in methods}
    assert {pair for pair in documented if pair[1].startswith("/api/")} == served


def test_every_reference_leads_somewhere(site: Site) -> None:
    found = document(site)
    named = {f"#/components/schemas/{name}" for name in found["components"]["schemas"]}
    assert set(references(found)) <= named


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [each for value in part.values() for each in references(value)]
    return [each for value in part for each in references(value)] if isinstance(part, list) else []


def test_operations_have_names_of_their_own_and_every_error_is_a_problem(site: Site) -> None:
    operations = [each for methods in document(site)["paths"].values() for each in methods.values()]
    names = [each["operationId"] for each in operations]
    assert len(names) == len(set(names))
    for operation in operations:
        first = operation["tags"] == ["Legacy routes"]
        for status, answer in operation["responses"].items():
            if status >= "400":
                assert list(answer["content"]) == ["application/json" if first else "application/problem+json"]
        assert "500" in operation["responses"]


def test_a_field_says_what_it_means_and_a_stranger_is_refused(site: Site) -> None:
    plan = document(site)["components"]["schemas"]["LoadPlan"]
    assert plan["properties"]["spawn_rate"]["description"] == "users started per second."
    assert plan["properties"]["spawn_rate"]["default"] == 50
    assert plan["additionalProperties"] is False
    assert "users started" not in plan["description"]


def test_every_parameter_says_what_it_means(site: Site) -> None:
    for path, methods in document(site)["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                assert parameter.get("description"), (path, parameter["name"])


def test_a_docstring_is_taken_apart_by_its_fields() -> None:
    text = "A thing.\n\nsize, big_*: how\n    large; b: of it. Not: a field.\n\nRaises nothing."
    own, meanings = meanings_of(text, ["size", "big_one", "big_two", "b", "c"])
    assert own == "A thing.\n\nRaises nothing."
    assert meanings == {
        "size": "how large",
        "big_one": "how large",
        "big_two": "how large",
        "b": "of it. Not: a field.",
    }
