"""Templates become the visitor's pages, under a policy that lets them load and run nothing else."""

from base64 import b64encode
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

DAY_MS = 86_400_000


def since(at_ms: int, now_ms: int) -> str:
    """How long ago, in whole UTC days: exact enough to remember, and no log of someone's evening."""
    days = now_ms // DAY_MS - at_ms // DAY_MS
    return {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")


def moment(at_ms: int) -> str:
    when = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{when.day} {when:%B %Y, %H:%M} UTC"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("adserver.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = environment.get_template("visitor.css").render()
    environment.globals["style"] = Markup(style)  # noqa: S704 - a file of ours
    environment.filters["since"] = since
    environment.filters["moment"] = moment
    return environment


def _policy() -> str:
    style = str(_environment().globals["style"])
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src 'self'; style-src 'sha256-{digest}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


HEADERS = {
    "Content-Security-Policy": _policy(),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Our own forms must say where they come from, which no-referrer would keep from us; others learn nothing.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def page(template: str, *, status: int = 200, **words: object) -> HTMLResponse:
    """One of our pages, never kept and never framed."""
    return HTMLResponse(_environment().get_template(template).render(**words), status, headers=HEADERS)
