"""/api/v1/advertisers/{id}/product-sets: which part of the catalogue a campaign shows."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.domain.product_set import ProductSet
from adserver.flows.manage import Manage
from adserver.web.api.answers import Page, each, found, key_from, page, problems
from adserver.web.auth import ADVERTISERS_ONLY, Caller, CurrentCaller
from adserver.web.flows import CurrentManage
from adserver.web.once import CurrentOnce, answer
from adserver.web.routes import api_router
from adserver.web.schemas.fields import Paging
from adserver.web.schemas.product_sets import (
    ProductSetAnswer,
    ProductSetChange,
    ProductSetDraft,
    ProductSetRules,
    SurveyAnswer,
    SurveyedSetAnswer,
    show_product_set,
    show_survey,
    show_surveyed,
)

router = api_router(
    "/advertisers/{advertiser_id}/product-sets", tags=["products"], dependencies=[ADVERTISERS_ONLY]
)


@router.get("", response_model=Page[ProductSetAnswer], responses=problems())
def list_product_sets(
    advertiser_id: str, manage: CurrentManage, caller: CurrentCaller, paging: Annotated[Paging, Query()]
) -> Response:
    owner = key_from("adv", advertiser_id)
    return page(
        paging,
        lambda after, limit: manage.product_sets.product_sets(caller.reach, owner, after, limit),
        each(show_product_set),
    )


@router.post("", status_code=201, response_model=ProductSetAnswer, responses=problems(409))
def create_product_set(
    advertiser_id: str,
    draft: ProductSetDraft,
    manage: CurrentManage,
    caller: CurrentCaller,
    once: CurrentOnce,
) -> Response:
    wished = draft.product_set(key_from("adv", advertiser_id), draft.name)
    return once.create(
        lambda receipt_of: manage.product_sets.create(caller.reach, wished, receipt_of), show_product_set
    )


@router.post("/preview", response_model=SurveyAnswer, responses=problems())
def preview_product_set(
    advertiser_id: str, rules: ProductSetRules, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """Count what such a set would hold, with a few examples and what is odd of it; nothing is saved."""
    wished = rules.product_set(key_from("adv", advertiser_id))
    survey = found(manage.product_sets.survey(caller.reach, wished))
    return answer(show_survey(survey, manage.clock()))


@router.get("/{product_set_id}", response_model=SurveyedSetAnswer, responses=problems())
def get_product_set(
    advertiser_id: str, product_set_id: str, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """One set, with what it holds of the catalogue now."""
    owner, key = key_from("adv", advertiser_id), key_from("set", product_set_id)
    return _surveyed(found(manage.product_sets.product_set(caller.reach, owner, key)), manage, caller)


@router.patch("/{product_set_id}", response_model=SurveyedSetAnswer, responses=problems(409))
def change_product_set(
    advertiser_id: str,
    product_set_id: str,
    change: ProductSetChange,
    manage: CurrentManage,
    caller: CurrentCaller,
) -> Response:
    """Change what its campaigns show from the next request on; each list of rules is replaced whole."""
    owner, key = key_from("adv", advertiser_id), key_from("set", product_set_id)
    changed = found(manage.product_sets.change(caller.reach, owner, key, change.edit))
    return _surveyed(changed, manage, caller)


def _surveyed(product_set: ProductSet, manage: Manage, caller: Caller) -> Response:
    survey = found(manage.product_sets.survey(caller.reach, product_set))
    return answer(show_surveyed(product_set, survey, manage.clock()))
