"""Cards, looks and pictures for the tests of this room, drawn here so that no photograph is needed."""

from io import BytesIO

from PIL import Image, ImageDraw

from creatives.card import Brand, Card, Look, Message, Offer
from creatives.html import Beacons

BEACONS = Beacons("/i?t=aaa&x=1", "/v?t=bbb", "/why?t=ccc")
LONG_TITLES = (
    "Winnie the Pooh & Bumblebee Hair Brush | Cute Resin Vanity Gift for Girls and Collectors of All Ages",
    "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenhalterungsschraube",
    "Robe d'été longue fleurie à manches courtes",
    "قميص قطني رجالي بأكمام طويلة مناسب لجميع المناسبات والرحلات",
)
HOSTILE_TEXTS = (
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "{{7*7}} {% include 'x' %} ${7*7}",
    "' onmouseover=alert(1) x='",
    "<!-- --> <![CDATA[ ]]>",
    "&lt;b&gt; &amp;",
)


def make_card(
    title: str = "Wool beanie",
    price_micros: int = 29_900_000,
    reference_price_micros: int | None = None,
    currency: str = "EUR",
    picture: str | None = "0123456789abcdef0123456789abcdef",
    language: str = "en",
) -> Card:
    return Card(7, title, price_micros, currency, reference_price_micros, picture, None, language)


def make_look(
    language: str = "en",
    offer: Offer | None = None,
    primary: str = "#1f3a5f",
    accent: str = "#d9480f",
    name: str = "Velvet & Rye",
    logo: str | None = None,
    *,
    theme: str = "light",
    template: str = "cards",
    headline: str | None = None,
    button: str | None = None,
) -> Look:
    brand = Brand(name, primary, accent, logo, theme)
    return Look(template, brand, offer, None, headline, button, language)


def make_message_look(
    headline: str = "Travel covered from the first click",
    body: str = "Medical, baggage and cancellation cover for the whole family. Cancel any time you like.",
    button: str = "Get a quote",
    picture: str | None = None,
    theme: str = "light",
    language: str = "en",
) -> Look:
    brand = Brand("Alpine Insurance", "#0b6e4f", theme=theme)
    return Look("message", brand, message=Message(headline, body, button, picture), language=language)


def make_picture(
    width: int = 300, height: int = 400, mode: str = "RGB", format_: str = "PNG", **options: object
) -> bytes:
    """A red disc on grey, in any mode and format."""
    image = Image.new("RGB", (width, height), "#8899aa")
    ImageDraw.Draw(image).ellipse((width // 4, height // 4, width * 3 // 4, height * 3 // 4), fill="#c02020")
    return encoded(image.convert(mode), format_, **options)


def encoded(image: Image.Image, format_: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()
