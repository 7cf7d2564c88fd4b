"""The API's documentation: the OpenAPI document, and a page made from it that asks no other host."""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader

from adserver.web.gate import API, HOOK_PATH
from adserver.web.problems import PROBLEMS

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code, pre { font: 14px/1.4 ui-monospace, monospace }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #d8dee4 }
h2 { margin-top: 2.5rem } summary { cursor: pointer; padding: .2rem 0 }
.method { display: inline-block; width: 4.5rem; font-weight: 600 }
"""
STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; frame-ancestors 'none'"

_PROBLEM = {
    "title": "Problem",
    "type": "object",
    "description": "RFC 9457; `code` is stable, the words are not",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": list(PROBLEMS)},
        "detail": {"type": "string"},
        "figure_micros": {"type": "integer"},
        "kept_days": {"type": "integer"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
SAFE_TO_REPEAT = ("/import", "/settle", "/events", "/approve", "/reject", "/media")  # as they are
MOVES_MONEY = ("/conversions", "/conversions/cancel", "/refunds", "/deposits")

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 255},
    "description": "a repeat of the same request gets the same answer, and has no second effect",
}


def _without_inner_default(parameters: Iterable[dict[str, Any]]) -> None:
    """A cursor's default is a number inside, where callers see text."""
    for parameter in parameters:
        if parameter["name"] == "cursor":
            parameter["schema"].pop("default", None)


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """What the framework cannot know: keys, problems, and the Idempotency-Key of each POST."""
    parts = document.setdefault("components", {})
    parts.setdefault("schemas", {})["Problem"] = _PROBLEM
    for leftover in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(leftover, None)
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"key": []}]
    for path, methods in document["paths"].items():
        for method in methods.values():
            _without_inner_default(method.get("parameters", ()))
        if "post" in methods and not (path.endswith(SAFE_TO_REPEAT) or HOOK_PATH.fullmatch(path)):
            required = path.endswith(MOVES_MONEY)
            header = _IDEMPOTENCY_KEY | {"required": required}
            methods["post"].setdefault("parameters", []).append(header)
    return document


def page(document: dict[str, Any]) -> HTMLResponse:
    """The OpenAPI document for people."""
    sections: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            sections[route["tags"][0]].append(_describe(document, path, method, route))
    html = (
        _environment()
        .get_template("api_docs.html")
        .render(info=document["info"], sections=sections, problems=PROBLEMS, style=STYLE, api=API)
    )
    return HTMLResponse(html, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})


def _environment() -> Environment:
    loader = PackageLoader("adserver.web")
    return Environment(loader=loader, autoescape=True)


def _describe(document: dict[str, Any], path: str, method: str, route: dict[str, Any]) -> dict[str, Any]:
    body = route.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return {
        "method": method.upper(),
        "path": path,
        "text": route.get("description", ""),
        "parameters": route.get("parameters", []),
        "fields": _fields(document, body) if body else [],
    }


def _fields(document: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, str]]:
    """The rows of a body's table."""
    body = _resolved(document, schema)
    required = body.get("required", [])
    return [
        {
            "name": name,
            "kind": _kind(field),
            "need": "required" if name in required else "",
            "text": _resolved(document, field).get("description", ""),
        }
        for name, field in body.get("properties", {}).items()
    ]


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").removeprefix("#/components/schemas/")
    resolved: dict[str, Any] = document["components"]["schemas"][name] if name else schema
    return resolved


def _kind(field: dict[str, Any]) -> str:
    """A field's type in a word or two."""
    if "anyOf" in field:
        return " or ".join(_kind(one) for one in field["anyOf"])
    if "enum" in field:
        return ", ".join(str(value) for value in field["enum"])
    if "items" in field:
        return f"list of {_kind(field['items'])}"
    if "$ref" in field:
        return str(field["$ref"].rpartition("/")[2])
    return str(field.get("format") or field.get("const") or field.get("type", ""))
