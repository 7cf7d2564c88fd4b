"""/api/v1/keys: API keys, the operator's to make and to revoke."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.web.api.answers import Page, found, key_from, page, problems
from adserver.web.auth import OPERATORS_ONLY, CurrentCaller
from adserver.web.flows import CurrentManage
from adserver.web.once import CurrentOnce
from adserver.web.routes import api_router
from adserver.web.schemas.accounts import KeyAnswer, KeyDraft, show_key, show_new_key
from adserver.web.schemas.fields import Paging
from adserver.writes import ApiKey

router = api_router("/keys", tags=["keys"], dependencies=[OPERATORS_ONLY])


@router.get("", response_model=Page[KeyAnswer], responses=problems())
def list_keys(manage: CurrentManage, caller: CurrentCaller, paging: Annotated[Paging, Query()]) -> Response:
    def shown(keys: Sequence[ApiKey]) -> list[KeyAnswer]:
        used = manage.keys.last_used(keys)
        return [show_key(one, used.get(one.key)) for one in keys]

    return page(paging, lambda after, limit: manage.keys.keys(caller.reach, after, limit), shown)


@router.post("", status_code=201, response_model=KeyAnswer, responses=problems())
def create_key(draft: KeyDraft, manage: CurrentManage, caller: CurrentCaller, once: CurrentOnce) -> Response:
    """Make a key. `secret` is told once: a repeat with the same Idempotency-Key answers null there."""
    return once.create(
        lambda receipt_of: manage.keys.create(caller.reach, draft.key(), receipt_of),
        lambda made: show_key(made.key),
        show_once=show_new_key,
    )


@router.post("/{key_id}/rotate", status_code=201, response_model=KeyAnswer, responses=problems(409))
def rotate_key(key_id: str, manage: CurrentManage, caller: CurrentCaller, once: CurrentOnce) -> Response:
    """Make another key that may do the same; the old one ends a day later."""
    return once.create(
        lambda receipt_of: manage.keys.rotate(caller.reach, key_from("key", key_id), receipt_of),
        lambda made: show_key(made.key),
        show_once=show_new_key,
    )


@router.delete("/{key_id}", status_code=204, response_class=Response, responses=problems(409))
def revoke_key(key_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    """Revoke a key, at once and for good."""
    found(manage.keys.revoke(caller.reach, key_from("key", key_id)))
    return Response(status_code=204)
