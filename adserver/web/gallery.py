"""`GET /media/{name}`: our pictures, named by their content, so that anyone may keep them for ever."""

import asyncio
from concurrent.futures import Future

from adserver.flows.rendition import CompletePictures
from adserver.ports import Media
from adserver.web import answers
from adserver.web.answers import Answer
from adserver.web.pending import Pending, in_time

_TYPES = {"jpg": b"image/jpeg", "png": b"image/png", "webp": b"image/webp", "gif": b"image/gif"}


class Gallery:
    """Answers from disk; what an older version did not make is made first, and not on the event loop."""

    def __init__(self, media: Media, complete: CompletePictures) -> None:
        self._media = media
        self._complete = complete

    def picture(self, name: str, if_none_match: str) -> Answer | Pending:
        body = self._media.get(name)
        if body is not None:
            return _shown(name, body, if_none_match)
        coming = self._complete.rendition(name)
        if coming is None:
            return _absent()
        return in_time(_made(name, coming))


async def _made(name: str, coming: Future[bytes | None]) -> Answer:
    body = await asyncio.wrap_future(coming)
    return _absent() if body is None else _shown(name, body, "")


def _shown(name: str, body: bytes, if_none_match: str) -> Answer:
    tag = f'"{name}"'
    known = {told.strip().removeprefix("W/") for told in if_none_match.split(",")}
    if tag in known or "*" in known:
        return answers.unchanged_media(tag)
    return answers.media(body, _TYPES[name.rsplit(".", 1)[1]], tag)


def _absent() -> Answer:
    return answers.plain(404, "no such picture")
