"""A form with a file, sent by a page of ours: the file goes to disk as it comes."""

from collections.abc import AsyncGenerator
from typing import IO, Annotated

import msgspec
from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from adserver.web.console.visit import CurrentVisit, NotOurs
from adserver.web.gate import MOST_FEED_BYTES
from adserver.web.privacy_routes import is_own_form

MOST_FORM_BYTES = MOST_FEED_BYTES + 10_000  # the other fields
MOST_FIELDS = 10


class Sent(msgspec.Struct, frozen=True):
    """What was filled in; `file` is None where none was chosen, or one that is too large."""

    fields: dict[str, str]
    file: IO[bytes] | None


class _TooLarge(MultiPartException):
    pass


async def _sent_file(request: Request, visit: CurrentVisit) -> AsyncGenerator[Sent]:
    if not is_own_form(request):
        raise NotOurs
    parser = MultiPartParser(request.headers, _counted(request), max_files=1, max_fields=MOST_FIELDS)
    try:
        form = await parser.parse()
    except _TooLarge:
        form = None
    except (MultiPartException, KeyError):
        raise NotOurs from None
    if form is None:
        yield Sent({}, None)
        return
    try:
        fields = {name: text for name, text in form.multi_items() if isinstance(text, str)}
        if fields.pop("token", "") != visit.signed_in.form_token:
            raise NotOurs
        file = form.get("file")
        is_file = isinstance(file, UploadFile) and file.size
        yield Sent(fields, file.file if isinstance(file, UploadFile) and is_file else None)
    finally:
        await form.close()


async def _counted(request: Request) -> AsyncGenerator[bytes]:
    seen = 0
    async for part in request.stream():
        seen += len(part)
        if seen > MOST_FORM_BYTES:
            raise _TooLarge("the file is too large")
        yield part


SentFile = Annotated[Sent, Depends(_sent_file)]
