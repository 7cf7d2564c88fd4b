"""Brand colours: which are accepted, and which text can be read on them (WCAG 2.2 contrast)."""

from creatives.card import COLOUR_PATTERN

WHITE = "#ffffff"
INK = "#16191d"  # our darkest text
AA_CONTRAST = 4.5  # WCAG 2.2 AA for text of normal size
PART_CONTRAST = 3.0  # the same for large text, and for a button's edge


class UnsafeColour(ValueError):
    """A colour that is not `#rrggbb` and so might be a piece of style sheet."""


def safe_colour(colour: str) -> str:
    """`colour` in lower case, or UnsafeColour."""
    if not COLOUR_PATTERN.fullmatch(colour):
        raise UnsafeColour(colour[:40])
    return colour.lower()


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _linear(channel: int) -> float:
    share = channel / 255
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    """Relative luminance as WCAG defines it, 0 (black) to 1 (white)."""
    red, green, blue = (_linear(channel) for channel in rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio, 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def text_on(background: str) -> str:
    """White where it can be read, else near black, else black: for any background one of them passes AA."""
    if contrast(WHITE, background) >= AA_CONTRAST:
        return WHITE
    return INK if contrast(INK, background) >= AA_CONTRAST else "#000000"


def mixed(colour: str, other: str, percent: int) -> str:
    """`percent` of `colour`, the rest `other`."""
    pairs = zip(rgb(colour), rgb(other), strict=True)
    return "#" + "".join(f"{(one * percent + two * (100 - percent)) // 100:02x}" for one, two in pairs)


def readable_on(colour: str, ground: str, least: float = AA_CONTRAST) -> str:
    """`colour`, moved step by step away from `ground` until it stands out from it by `least`."""
    away = "#000000" if contrast("#000000", ground) >= contrast(WHITE, ground) else WHITE
    shades = (mixed(colour, away, percent) for percent in range(100, 0, -5))
    return next((shade for shade in shades if contrast(shade, ground) >= least), away)


def readable_on_white(colour: str) -> str:
    return readable_on(colour, WHITE)


def badge_colour(accent: str) -> str:
    """`accent`, or a shade darker where that lets white stand on it; light colours stay, with dark text."""
    return readable_on_white(accent) if contrast(accent, WHITE) >= 3 else accent
