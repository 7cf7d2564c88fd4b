"""Idempotency-Key: a repeated POST gets the answer of the first, and has no second effect."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from hashlib import sha256
from threading import Lock
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel

from adserver.flows.manage import Manage, ReceiptOf, Refused
from adserver.web.auth import Caller
from adserver.web.flows import flows_of
from adserver.web.problems import Problem, refuse
from adserver.writes import Receipt, Result

Made = TypeVar("Made")

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_LOCKS = tuple(Lock() for _ in range(64))


def answer(body: BaseModel, status: int = 200) -> Response:
    return Response(body.model_dump_json(), status, media_type="application/json")


class Once:
    """One POST and its Idempotency-Key, if it has one."""

    def __init__(self, manage: Manage, caller: Caller, key: str | None, request_digest: str) -> None:
        self._manage = manage
        self._caller = caller
        self._key = key
        self._request_digest = request_digest

    def create(
        self,
        make: Callable[[ReceiptOf[Made]], Made | Refused],
        show: Callable[[Made], BaseModel],
        show_once: Callable[[Made], BaseModel] | None = None,
    ) -> Response:
        """Make something, with its receipt in the same transaction; of many at once, one makes it.

        `show_once` says more than is kept for repeats: a key's text.
        """

        def receipt_of(made: Made) -> Receipt | None:
            return self._receipt(answer(show(made), 201))

        kept = self.kept()
        if kept is not None:
            return kept
        made = make(receipt_of)
        if not isinstance(made, Refused):
            return answer((show_once or show)(made), 201)
        if made.reason is Result.RECEIPT_EXISTS:
            kept = self.kept()
            assert kept is not None, "the receipt was there a moment ago"
            return kept
        raise refuse(made)

    def run(self, act: Callable[[], Response]) -> Response:
        """Do what is harmless when done twice, then keep its answer; a second of this process waits."""
        with self._turn():
            kept = self.kept()
            if kept is not None:
                return kept
            done = act()
            receipt = self._receipt(done)
            if receipt is None or self._manage.keys.keep(receipt):
                return done
            return self.kept() or done

    def kept(self) -> Response | None:
        """The answer given before, if this request was answered; another request may not take its key."""
        if self._key is None:
            return None
        receipt = self._manage.keys.receipt(self._caller.digest, self._key)
        if receipt is None:
            return None
        if receipt.request_digest != self._request_digest:
            raise Problem("idempotency_key_reused")
        return Response(receipt.body, receipt.status, media_type="application/json")

    def require_key(self) -> None:
        if self._key is None:
            raise Problem("idempotency_key_required")

    def _turn(self) -> AbstractContextManager[object]:
        return _LOCKS[hash((self._caller.digest, self._key)) % len(_LOCKS)]

    def _receipt(self, response: Response) -> Receipt | None:
        if self._key is None:
            return None
        return Receipt(
            owner=self._caller.digest,
            idempotency_key=self._key,
            request_digest=self._request_digest,
            status=response.status_code,
            body=bytes(response.body),
            at_ms=self._manage.clock(),
        )


def key_of_request(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        message = "1 to 255 visible ASCII letters"
        flaw = {"field": "header.Idempotency-Key", "code": "bad_key", "message": message}
        raise Problem("invalid_request", errors=[flaw])
    return key


def digest_of_request(request: Request, body_digest: bytes) -> str:
    """What makes two requests the same: method, address and the very bytes of the body."""
    digest = sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    digest.update(body_digest)
    return digest.hexdigest()


async def _current(request: Request) -> Once:
    body_digest = sha256(await request.body()).digest()
    digest = digest_of_request(request, body_digest)
    return Once(flows_of(request).manage, request.state.caller, key_of_request(request), digest)


CurrentOnce = Annotated[Once, Depends(_current)]
