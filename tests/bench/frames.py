"""What a new frame of an image slot costs, and a GIF of frames that are known: python -m tests.bench.frames."""

from collections.abc import Callable
from io import BytesIO
from statistics import median
from time import thread_time_ns
from typing import Any

from PIL import Image

from adserver.flows.draw import Draw
from creatives.card import Card
from creatives.formats import FORMATS
from creatives.gif import draw_frame
from tests.creatives.samples import encoded, make_card, make_look

ROUNDS = 60
SIZES = ("300x250", "728x90", "300x600", "970x250")
WARM_TIMES = 1_000


class _Nothing:
    """Neither media nor a disk nor children: a frame is drawn here."""

    def get(self, name: str) -> None:
        return None

    def put(self, name: str, frame: bytes) -> None:
        pass

    def frame(self, *asked: Any) -> bytes:
        return draw_frame(*asked)


def photograph() -> bytes:
    """As long-sided, soft and detailed as a thumbnail of a real picture; no file is needed for it."""
    noise = Image.effect_noise((300, 300), 60).resize((440, 600), Image.Resampling.BICUBIC)
    ramps = [Image.linear_gradient("L").resize((440, 600)).rotate(turn) for turn in (0, 90, 180)]
    mixed = Image.merge("RGB", [Image.blend(ramp, noise, 0.25) for ramp in ramps])
    return encoded(mixed, "JPEG", quality=85, progressive=True)


def frame_costs() -> dict[str, float]:
    """Microseconds of the processor, the middle of many; the first ones warm up."""
    known = f"a GIF of 4 known frames, {SIZES[0]}"
    return {**{f"a new frame, {size}": _new(size, _halved(photograph())) for size in SIZES}, known: _warm()}


def _halved(photo: bytes) -> bytes:
    """The smaller rendition, which most sizes are drawn from."""
    with Image.open(BytesIO(photo)) as opened:
        return encoded(opened.resize((220, 300), Image.Resampling.LANCZOS), "JPEG", quality=85)


def _new(size: str, photo: bytes) -> float:
    look, format_ = make_look("fr"), FORMATS[size]
    cards = [_card(number) for number in range(ROUNDS + 5)]
    return _middle([lambda card=card: draw_frame(card, look, format_, photo) for card in cards])  # type: ignore[misc]


def _warm() -> float:
    nothing: Any = _Nothing()
    drawing, look, format_ = Draw(nothing, nothing, nothing, "bench"), make_look(), FORMATS[SIZES[0]]
    cards = [_card(number) for number in range(4)]
    drawing.image(cards, look, format_)

    def many() -> None:
        for _ in range(WARM_TIMES):
            drawing.at_hand(cards, look, format_)

    return _middle([many] * 10) / WARM_TIMES


def _card(number: int) -> Card:
    return make_card(f"Robe d'\u00e9t\u00e9 longue fleurie no {number}", 10_000_000 + number * 1_370_000)


def _middle(acts: list[Callable[[], object]]) -> float:
    taken = []
    for act in acts:
        began = thread_time_ns()
        act()
        taken.append((thread_time_ns() - began) / 1_000)
    return median(taken[5:])


if __name__ == "__main__":
    for what, microseconds in frame_costs().items():
        print(f"{what:36} {microseconds:10.1f} us of the processor")
