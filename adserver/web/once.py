"""Idempotency-Key: a repeated POST gets the answer of the first, and has no second effect."""

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, TypeVar

import msgspec
from fastapi import Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel

from adserver.flows.manage import Manage, ReceiptOf, Refused
from adserver.web.auth import Caller
from adserver.web.flows import flows_of
from adserver.web.problems import Problem, refuse
from adserver.writes import Answered, Outcome, Receipt, Result
from pixel.grammar import holds_email

Made = TypeVar("Made")

_decode_answered = msgspec.msgpack.Decoder(Answered).decode
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


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

    def settle(
        self,
        submit: Callable[[Receipt], Outcome | Refused],
        show: Callable[[Answered], Response],
    ) -> Response:
        """Move money at most once, its receipt in the transaction of its effect.

        Whoever asks is answered from what is kept: the first, a repeat, one who waited for the first on
        any worker, and one whose first answer was lost. The writer's refusals are kept too, all but
        UNRECORDED. A request that never came to the writer does not use its key up.
        """
        receipt = self._unanswered()
        answered = self._answered()
        if answered is None:
            outcome = submit(receipt)
            if isinstance(outcome, Refused):
                raise refuse(outcome)
            if outcome.result is Result.UNRECORDED:
                raise Problem("unrecorded")
            answered = self._answered()
            assert answered is not None, "the receipt is kept with its effect"
        return show(answered)

    def _unanswered(self) -> Receipt:
        """The receipt of a request that moves money, before its outcome is known."""
        if self._key is None:
            raise Problem("idempotency_key_required")
        return self._receipt_of(self._key, 0, b"")

    def _answered(self) -> Answered | None:
        receipt = self._kept_receipt()
        return None if receipt is None else _decode_answered(receipt.body)

    def kept(self) -> Response | None:
        """The answer given before, if this request was answered."""
        receipt = self._kept_receipt()
        if receipt is None:
            return None
        return Response(receipt.body, receipt.status, media_type="application/json")

    def _kept_receipt(self) -> Receipt | None:
        """What was kept of this request; another request may not take its key."""
        if self._key is None:
            return None
        receipt = self._manage.keys.receipt(self._caller.digest, self._key)
        if receipt is not None and receipt.request_digest != self._request_digest:
            raise Problem("idempotency_key_reused")
        return receipt

    def _receipt(self, response: Response) -> Receipt | None:
        if self._key is None:
            return None
        return self._receipt_of(self._key, response.status_code, bytes(response.body))

    def _receipt_of(self, key: str, status: int, body: bytes) -> Receipt:
        return Receipt(
            owner=self._caller.digest,
            idempotency_key=key,
            request_digest=self._request_digest,
            status=status,
            body=body,
            at_ms=self._manage.clock(),
        )


def key_of_request(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and (not _KEY.fullmatch(key) or holds_email(key)):
        message = "1 to 255 visible ASCII letters, and no e-mail address"
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
