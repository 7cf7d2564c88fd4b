"""/api/v1/advertisers/{id}/reference-prices: for how many sales something is struck through, and why."""

from fastapi.responses import Response

from adserver.web.api.answers import found, key_from, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentManage
from adserver.web.once import answer
from adserver.web.routes import api_router
from adserver.web.schemas.reference_prices import SalesAnswer, show_sales

router = api_router(
    "/advertisers/{advertiser_id}/reference-prices", tags=["products"], dependencies=[ADVERTISERS_ONLY]
)


@router.get("", response_model=SalesAnswer, responses=problems())
def get_reference_prices(advertiser_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    advertiser, counts = found(manage.products.sales(caller.reach, key_from("adv", advertiser_id)))
    return answer(show_sales(advertiser, counts))
