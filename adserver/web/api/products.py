"""/api/v1/advertisers/{id}/products: the catalogue, product by product or by the hundred."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Path, Query
from fastapi.responses import Response

from adserver.domain.catalogue import Product
from adserver.web.api.answers import Page, each, found, key_from, page, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentManage
from adserver.web.once import answer
from adserver.web.routes import api_router
from adserver.web.schemas.catalogue import (
    ItemId,
    PricedProductAnswer,
    ProductAnswer,
    ProductBody,
    ProductChanges,
    ProductsAnswer,
    show_priced,
    show_product,
)
from adserver.web.schemas.fields import Paging

ItemIdPath = Annotated[ItemId, Path()]


router = api_router(
    "/advertisers/{advertiser_id}/products", tags=["products"], dependencies=[ADVERTISERS_ONLY]
)


@router.get("", response_model=Page[ProductAnswer], responses=problems())
def list_products(
    advertiser_id: str, manage: CurrentManage, caller: CurrentCaller, paging: Annotated[Paging, Query()]
) -> Response:
    owner = key_from("adv", advertiser_id)
    return page(
        paging,
        lambda after, limit: manage.products.products(caller.reach, owner, after, limit),
        each(show_product),
    )


@router.patch("", response_model=ProductsAnswer, responses=problems())
def change_products(
    advertiser_id: str, changes: ProductChanges, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """Change up to 500 products of the catalogue, all or none; null takes a field away."""
    owner = key_from("adv", advertiser_id)
    changed: Sequence[Product] = found(manage.products.change_many(caller.reach, owner, changes.edits()))
    return answer(ProductsAnswer(products=[show_product(product) for product in changed]))


@router.get("/{item_id:path}", response_model=PricedProductAnswer, responses=problems())
def get_product(
    advertiser_id: str, item_id: ItemIdPath, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """One product, with what is struck through beside its price now, and why."""
    owner = key_from("adv", advertiser_id)
    return answer(show_priced(*found(manage.products.reference_price(caller.reach, owner, item_id))))


@router.put("/{item_id:path}", response_model=ProductAnswer, responses=problems())
def put_product(
    advertiser_id: str, item_id: ItemIdPath, body: ProductBody, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """Put a product in the place of the one with this item id, or beside the others."""
    owner = key_from("adv", advertiser_id)
    return answer(show_product(found(manage.products.put(caller.reach, owner, body.product(item_id)))))
