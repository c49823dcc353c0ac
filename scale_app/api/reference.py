"""The reference of the API for people, from the OpenAPI document: Markdown for docs/, a page that needs no network.

The page holds no script; what it is made of is in the document, so it cannot say anything else than the server does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt

from scale_app.api.examples import EXAMPLES, WITH_A_TOKEN
from scale_app.api.problems import STATUS, TITLES, anchor_of
from scale_app.api.trying import NAVIGATION

Json = dict[str, Any]
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'"
STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.55 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1.5rem; }
h2 { border-top: 1px solid var(--line); margin-top: 3rem; padding-top: 1.5rem; }
h3 { font-family: ui-monospace, monospace; font-size: 1.05rem; margin-top: 2.2rem; overflow-wrap: anywhere; }
h3:target { outline: 2px solid currentColor; outline-offset: .4rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; }
th { background: var(--soft); font-weight: 600; }
code, pre { background: var(--soft); border-radius: .25rem; font-size: .9em; }
code { padding: .1em .3em; overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: .8rem; }
pre code { background: none; padding: 0; }
nav { display: flex; flex-wrap: wrap; gap: 1rem; margin-bottom: 1.5rem; }
a { color: inherit; text-decoration-thickness: 1px; text-underline-offset: .2em; }
"""


def routes_markdown(document: Json) -> str:
    """The routes and the errors; the types are left to the server's own page. document: of openapi()."""
    # A type is called by its name here, since what a link would lead to is on that page.
    return re.sub(r"\[(`\w+`)\]\(#\w+\)", r"\1", _markdown(document, (NO_TYPES,)))


def reference_markdown(document: Json) -> str:
    """The whole reference. document: of openapi()."""
    types = [part for name, schema in document["components"]["schemas"].items() for part in _type(name, schema)]
    return _markdown(document, (TYPES, *types))


def _markdown(document: Json, types: Iterable[str]) -> str:
    tags = dict.fromkeys(operation["tags"][0] for _, _, operation in _operations(document))
    parts = ["# API reference", document["info"]["description"], _contents(tags), *_examples()]
    for tag in tags:
        parts.append(f"## {tag}")
        for method, path, operation in _operations(document):
            if operation["tags"][0] == tag:
                parts += _operation(method, path, operation)
    parts += ["## Errors", ERRORS, *_errors(), "## Types", *types]
    return "\n\n".join(part for part in parts if part) + "\n"


ERRORS = (
    "An error of `/api/v1` is a [`Problem`](#problem) with the content type `application/problem+json`. Its `type` "
    "ends in one of these names, `detail` is a sentence for people, and `field` names the part of the request at "
    "fault. An error of a legacy route is a [`Refusal`](#refusal). Any request may also be refused with 400, 403, 408, "
    "413, 415, 421, 422 or 500."
)
NO_TYPES = (
    "Open `/api/docs` on your server for every field of every type with its meaning and unit; `/openapi.json` says the "
    "same to programs."
)
TYPES = "A field with a default is optional in a request. An answer has every field."


def reference_html(document: Json) -> str:
    """The same as one page without script, picture or font from elsewhere."""
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = renderer.parse(reference_markdown(document))
    for heading, inline in pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", slug(inline.content))
    body = renderer.renderer.render(tokens, renderer.options, {})
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    return (
        f'<!doctype html><html lang="en"><head>{head}<title>API reference · Scale</title><style>{STYLE}</style></head>'
        f"<body>{NAVIGATION}<main>{body}</main></body></html>\n"
    )


def slug(heading: str) -> str:
    """The anchor that readers of Markdown give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _contents(tags: Iterable[str]) -> str:
    return " · ".join(f"[{tag}](#{slug(tag)})" for tag in ("Examples", *tags, "Errors", "Types"))


def _examples() -> Iterator[str]:
    yield "## Examples"
    yield WITH_A_TOKEN
    for title, (language, program) in EXAMPLES.items():
        yield f"### {title}"
        yield f"```{language}\n{program}```"


def _operation(method: str, path: str, operation: Json) -> Iterator[str]:
    yield f"### `{method} {path}`"
    yield f"**{operation['summary']}.** {operation.get('description', '')}".strip()
    if query := [each for each in operation.get("parameters", ()) if each["in"] == "query"]:
        rows = [
            (f"`{each['name']}`", _kind(each["schema"]), _default(each), each.get("description", "")) for each in query
        ]
        yield _table(("query", "type", "default", "meaning"), rows)
    if body := operation.get("requestBody"):
        content = body["content"]["application/json"]
        yield f"Body: {_kind(content['schema'])}, as JSON" + (", for example:" if "example" in content else ".")
        if "example" in content:
            yield f"```json\n{json.dumps(content['example'])}\n```"
    yield _table(("answer", "what", "type"), _answers(operation["responses"]))


def _answers(responses: Json) -> Iterator[tuple[str, str, str]]:
    """What is the operation's own: what many requests may be refused for stands under the errors."""
    for status, answer in responses.items():
        if answer["description"] != f"{TITLES.get(int(status))}.":
            content = answer.get("content", {})
            kinds = [_kind(each["schema"]) if "json" in kind else f"`{kind}`" for kind, each in content.items()]
            yield status, "Success" if status < "400" else answer["description"], ", ".join(kinds)


def _errors() -> Iterator[str]:
    for kind, status in STATUS.items():
        yield f"### `{anchor_of(status, kind)}`"
        meaning = (kind.__doc__ or "").strip().split("\n")[0]
        yield f"{status}. {meaning}"
    for status, title in TITLES.items():
        yield f"### `{anchor_of(status)}`"
        yield f"{status}. {title}."


def _type(name: str, schema: Json) -> Iterator[str]:
    yield f"### `{name}`"
    yield _plain(schema.get("description", ""))
    if "enum" in schema:
        yield "One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + "."
    required = schema.get("required", ())
    rows = [
        (f"`{field}`", _kind(part), "" if field in required else _default(part), part.get("description", ""))
        for field, part in schema.get("properties", {}).items()
    ]
    if rows:
        yield _table(("field", "type", "default", "meaning"), rows)


def _kind(schema: Json) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[`{name}`](#{slug(name)})"
    if kinds := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(map(_kind, kinds)))
    if "enum" in schema or "const" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}" if "items" in schema else "list"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"names with {_kind(schema['additionalProperties'])}"
    return _bounded(schema)


def _bounded(schema: Json) -> str:
    kind = str(schema.get("type", "anything"))
    low, high = schema.get("minimum"), schema.get("maximum")
    return kind if low is None or high is None else f"{kind}, {low:,} to {high:,}"


def _default(part: Json) -> str:
    schema = part.get("schema", part)
    if part.get("required") is True:
        return "needed"
    return f"`{json.dumps(schema['default'])}`" if "default" in schema else ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _plain(text: str) -> str:
    """Text on one line, and none of it taken for a tag."""
    return " ".join(text.split()).replace("<", "&lt;")
