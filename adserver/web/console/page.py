"""Templates become the console's pages, in the reader's language, under a policy without inline code."""

from functools import cache, partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.datastructures import MutableHeaders

from adserver.web.console.figures import number, price, share
from adserver.web.console.says import said

LANGUAGES = {"en": "English", "fr": "Français", "it": "Italiano"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@cache
def translations(language: str) -> Translations:
    """The console's words in a language, of all its catalogues; English is what the templates say."""
    rooms = files("adserver.web.console") / "words" / language
    if not rooms.is_dir():
        return Translations()
    first, *others = (_compiled(one, language) for one in sorted(rooms.iterdir(), key=lambda one: one.name))
    for other in others:
        first.merge(other)
    return first


def _compiled(catalogue: Traversable, language: str) -> Translations:
    compiled = BytesIO()
    with catalogue.open("rb") as text:
        write_mo(compiled, read_po(text, locale=language))
    compiled.seek(0)
    return Translations(compiled)


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("adserver.web", "templates/console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    words: Any = environment
    words.install_gettext_translations(translations(language), newstyle=True)
    in_words = partial(said, translations(language).gettext)
    environment.globals |= {"language": language, "languages": LANGUAGES, "said": in_words}
    environment.filters |= {
        "number": partial(number, language=language),
        "share": partial(share, language=language),
        "price": partial(price, language=language),
    }
    return environment


def language_of(wanted: str | None, header: str) -> str:
    """The user's language, else the first of the browser's that we have."""
    if wanted in LANGUAGES:
        return wanted
    spoken = (part.partition(";")[0].strip().lower()[:2] for part in header.split(","))
    return next((one for one in spoken if one in LANGUAGES), "en")


def page(template: str, language: str, *, status: int = 200, **words: object) -> HTMLResponse:
    """One of the console's pages, never kept by a browser and never framed."""
    return HTMLResponse(_environment(language).get_template(template).render(**words), status, HEADERS)


def unkept(answer: Response) -> Response:
    """What the API answers too, under the pages' headers; a policy and such of its own stay."""
    headers = MutableHeaders(raw=answer.raw_headers)
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    return answer


def unkept_frame(answer: Response) -> Response:
    """The same for what one of our own pages frames: its policy says that nobody else may."""
    answer.headers["X-Frame-Options"] = "SAMEORIGIN"
    return unkept(answer)
