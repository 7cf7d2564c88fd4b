"""Many creatives on one page, each in its own frame, over real photos where they lie beside the checkout."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Browser, Page

from creatives.card import Card, Look
from creatives.formats import Format
from creatives.html import card_fragment, compile_document, message_fragment
from tests.creatives.samples import BEACONS, make_card, make_picture
from tests.shared_data import SHARED_DATA

PRICES_MICROS = (29_900_000, 79_000_000, 1_299_990_000, 64_500_000, 12_999_900_000, 9_990_000)
REFERENCE_MICROS = (39_900_000, None, 1_599_000_000, None, 15_999_900_000, 12_490_000)


def photo(number: int) -> str:
    """The content hash of the photo of that number."""
    return f"{number:032x}"


class Creative(NamedTuple):
    """A creative to look at, and the size of its frame."""

    name: str
    body: bytes
    policy: str
    width: int
    height: int


def creative(
    look: Look,
    format_: Format,
    titles: tuple[str, ...],
    size: tuple[int, int] | None = None,
    currency: str = "EUR",
    left_ms: int = 8_040_000,
) -> Creative:
    """`look` with as many cards as there are titles; the offer ends in 2 h 14 min unless told otherwise."""
    cards = [
        make_card(title, PRICES_MICROS[n], REFERENCE_MICROS[n], currency, photo(n), look.language)
        for n, title in enumerate(titles)
    ]
    return drawn(look, format_, cards, size, left_ms)


def drawn(
    look: Look,
    format_: Format,
    cards: Sequence[Card],
    size: tuple[int, int] | None = None,
    left_ms: int = 8_040_000,
) -> Creative:
    """`look` with these cards, or with its message."""
    document = compile_document(look, format_)
    if look.template == "message":
        fragments = [message_fragment(look, format_)]
    else:
        fragments = [
            card_fragment(card, look, lazy=n > 1 and look.template == "carousel")
            for n, card in enumerate(cards)
        ]
    now_ms = (document.ends_at_ms or 0) - left_ms
    body = document.render(fragments, ["/c?t=1"] * len(fragments), BEACONS, now_ms)
    width, height = size or (format_.width, format_.height)
    name = f"{look.template} {len(fragments)} {width}x{height} {look.language} {look.brand.theme}"
    return Creative(name, body, document.content_security_policy, width, height)


def real_photos() -> list[Path]:
    """None where the real data is absent: pictures are drawn then."""
    return sorted((SHARED_DATA / "images").rglob("*.jpg"))


@cache
def renditions(*photos: Path) -> dict[str, bytes]:
    """What `/media/` answers: each photo in the four forms that a card names; drawn ones without photos."""
    media: dict[str, bytes] = {}
    for number in range(6):
        source = BytesIO(make_picture()) if not photos else photos[number % len(photos)]
        with Image.open(source) as opened:
            for suffix, side in (("", 600), ("-half", 300)):
                drawn = opened.convert("RGB")
                drawn.thumbnail((side, side))
                for extension, format_ in (("jpg", "JPEG"), ("webp", "WEBP")):
                    buffer = BytesIO()
                    drawn.save(buffer, format_, quality=80)
                    media[f"/media/{photo(number)}{suffix}.{extension}"] = buffer.getvalue()
    return media


class Gallery:
    """A page of frames that may measure them, since all are of one origin, which a server of its own answers."""

    def __init__(self, page: Page, media: dict[str, bytes], keeps: bool) -> None:
        self.page, self.media, self.keeps = page, media, keeps
        self.shown: list[Creative] = []
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("_Own", (_Handler,), {"gallery": self}))
        self.origin = f"http://ads.localhost:{self._server.server_port}"
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.page.close()
        self._server.shutdown()
        self._server.server_close()

    def hang(self, creatives: list[Creative], columns_width: int = 1600) -> None:
        """Shows all of them and waits until every picture is there."""
        self.shown = creatives
        self.asked.clear()
        self.complaints.clear()
        self.page.set_viewport_size({"width": columns_width, "height": 900})
        self.page.goto(f"{self.origin}/gallery")

    def measured(self, script: str) -> dict[str, list[str]]:
        """What `script` finds wrong in each frame's document, by the creative's name."""
        found = self.page.evaluate(
            f"""() => {{
              const wrong = {script};
              return [...document.querySelectorAll('iframe')].map(
                (frame) => wrong(frame.contentDocument, frame.contentWindow));
            }}"""
        )
        return {shown.name: faults for shown, faults in zip(self.shown, found, strict=True) if faults}

    def answer(self, path: str) -> tuple[bytes, dict[str, str]] | None:
        """What stands at an address, with its headers; what else is asked for is noted down, as are pictures."""
        name, _, number = path.rpartition("/")
        html = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
        if path == "/gallery":
            return self._page().encode(), html
        if name == "/creative":
            shown = self.shown[int(number)]
            return shown.body, html | {"Content-Security-Policy": shown.policy}
        self.asked.append(path)
        if path in self.media:
            kept = "max-age=3600" if self.keeps else "no-store"
            return self.media[path], {
                "Content-Type": f"image/{path.rpartition('.')[2]}",
                "Cache-Control": kept,
            }
        return None

    def _page(self) -> str:
        figures = "".join(
            f'<figure><figcaption>{shown.name}</figcaption><iframe title="{number}" src="/creative/{number}" '
            f'width="{shown.width}" height="{shown.height}"></iframe></figure>'
            for number, shown in enumerate(self.shown)
        )
        style = (
            "body{margin:12px;background:#dfe3e8;font:11px sans-serif}iframe{border:0;display:block}"
            "figure{display:inline-block;margin:0 14px 14px 0;vertical-align:top}"
        )
        return f'<!doctype html><html lang="en"><title>gallery</title><style>{style}</style>{figures}'


class _Handler(BaseHTTPRequestHandler):
    """What a gallery says; an answer leaves in one piece, and its connection stays."""

    gallery: Gallery
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        body, headers = self.gallery.answer(self.path) or (b"", {})
        self.send_response(200 if headers else 204)
        for name, value in headers.items():
            self.send_header(name, value)
        if headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def gallery(
    browser: Browser,
    photos: Sequence[Path] = (),
    motion: str = "reduce",
    scheme: str = "light",
    density: int = 1,
    keeps: bool = True,
) -> Iterator[Gallery]:
    """A page in `browser` of someone who wants no motion, unless told otherwise; it may keep pictures it has had."""
    page = browser.new_page(
        reduced_motion=motion, color_scheme=scheme, device_scale_factor=density, locale="en-GB"
    )
    page.set_default_timeout(100_000)  # a hundred documents on a busy machine
    with closing(Gallery(page, renditions(*photos), keeps)) as shown:
        yield shown
