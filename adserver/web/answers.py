"""The few shapes of answer that the hot addresses give, as status, headers and bytes."""

import msgspec

from adserver.web.metrics import CONTENT_TYPE

Headers = list[tuple[bytes, bytes]]

GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
BODILESS = frozenset({204, 304})  # these have no length either
_NEVER_KEPT = (b"cache-control", b"no-store, no-cache, must-revalidate, max-age=0, private")
_ASKED_EACH_TIME = (b"cache-control", b"private, no-cache")
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_ANYWHERE = (b"cross-origin-resource-policy", b"cross-origin")
_FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")


class Answer(msgspec.Struct):
    status: int
    headers: Headers
    body: bytes = b""


def gif() -> Answer:
    return Answer(200, [(b"content-type", b"image/gif"), _NEVER_KEPT, _NO_SNIFFING, _ANYWHERE], GIF)


def no_content() -> Answer:
    return Answer(204, [_NEVER_KEPT, _NO_SNIFFING])


def nothing() -> Answer:
    """An empty place, where not even the house creative could be made."""
    return Answer(200, [(b"content-type", b"text/html; charset=utf-8"), _NEVER_KEPT, _NO_SNIFFING])


def try_again() -> Answer:
    """Nothing could be made durable, said to whoever can read it: the tag can, and sends its events again."""
    return Answer(503, [(b"retry-after", b"1"), _NEVER_KEPT, _NO_SNIFFING])


def redirect(location: str) -> Answer:
    headers = [
        (b"location", location.encode("ascii", "backslashreplace")),
        (b"referrer-policy", b"origin"),
        _NEVER_KEPT,
        _NO_SNIFFING,
    ]
    return Answer(302, headers)


def document(body: bytes, policy: bytes) -> Answer:
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", policy),
        (b"referrer-policy", b"origin"),
        _NEVER_KEPT,
        _NO_SNIFFING,
    ]
    return Answer(200, headers, body)


def picture(body: bytes, tag: str, kind: str, known: bytes = b"") -> Answer:
    """A slot's picture: personal, so only its browser may keep it, and asks each time whether it still holds.

    `known` is the tag of the one it has, which need not be sent again.
    """
    etag = f'"{tag}"'.encode()
    headers = [(b"etag", etag), _ASKED_EACH_TIME, _NO_SNIFFING, _ANYWHERE]
    if etag in known:
        return Answer(304, headers)
    return Answer(200, [(b"content-type", b"image/" + kind.encode()), *headers], body)


def media(body: bytes, content_type: bytes, tag: str) -> Answer:
    """A picture of ours: named by its content, so anyone may keep it for ever."""
    return Answer(200, [(b"content-type", content_type), *_media_headers(tag)], body)


def unchanged_media(tag: str) -> Answer:
    return Answer(304, _media_headers(tag))


def _media_headers(tag: str) -> Headers:
    return [(b"etag", tag.encode()), _FOR_EVER, _NO_SNIFFING, _ANYWHERE]


def script(body: bytes) -> Answer:
    kept = (b"cache-control", b"public, max-age=3600")
    return Answer(
        200, [(b"content-type", b"text/javascript; charset=utf-8"), kept, _NO_SNIFFING, _ANYWHERE], body
    )


def json(body: object) -> Answer:
    headers = [(b"content-type", b"application/json"), _NEVER_KEPT, _NO_SNIFFING]
    return Answer(200, headers, msgspec.json.encode(body))


def figures(body: bytes) -> Answer:
    return Answer(200, [(b"content-type", CONTENT_TYPE.encode()), _NEVER_KEPT, _NO_SNIFFING], body)


def plain(status: int, text: str) -> Answer:
    return Answer(
        status, [(b"content-type", b"text/plain; charset=utf-8"), _NEVER_KEPT, _NO_SNIFFING], text.encode()
    )
