"""How requests reach the hot addresses over ASGI, in front of the framework; protocol.py is a shorter way."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from adserver.web.answers import BODILESS, Answer
from adserver.web.hot import MOST_BODY_BYTES, Handler, Hot
from adserver.web.hot_answers import Request
from adserver.web.pending import waited

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Door:
    """An ASGI application in front of another: answers the hot addresses, passes the rest on."""

    def __init__(self, hot: Hot, behind: Application) -> None:
        self.hot = hot
        self._behind = behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._behind(scope, receive, send)
        handler = self.hot.handler(scope["method"], scope["path"])
        if handler is None:
            stranger = self.hot.stranger(scope["headers"])
            if stranger is not None:
                return await _send(send, stranger)
            return await self._behind(scope, receive, send)
        request = await _request(scope, receive)
        await _send(send, await self._answer(handler, request), request.method == "HEAD")
        return None

    async def _answer(self, handler: Handler, request: Request) -> Answer:
        reply = self.hot.answer(handler, request)
        if isinstance(reply, Answer):
            return reply
        try:
            return await waited(reply)
        except Exception:
            return self.hot.instead(request)


async def _request(scope: Scope, receive: Receive) -> Request:
    client = scope["client"][0] if scope.get("client") else ""
    body = await _body(receive) if scope["method"] == "POST" else b""
    return Request(scope["method"], scope["path"], scope["query_string"], scope["headers"], client, body)


async def _body(receive: Receive) -> bytes:
    """As much of the body as is judged: the rest is read and dropped, so that the answer arrives."""
    kept = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(kept)
        if len(kept) < MOST_BODY_BYTES:
            kept += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(kept[:MOST_BODY_BYTES])


async def _send(send: Send, answer: Answer, head_only: bool = False) -> None:
    headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
    if answer.status in BODILESS:
        headers.pop()
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head_only else answer.body})
