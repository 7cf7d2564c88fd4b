"""The yardstick: an ASGI application that answers anything with the same 43 bytes."""

from typing import Any

from adserver.web.answers import GIF

_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"image/gif"), (b"content-length", b"%d" % len(GIF))],
}
_BODY = {"type": "http.response.body", "body": GIF}


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send(_START)
    await send(_BODY)
