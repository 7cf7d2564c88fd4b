"""/api/v1/advertisers/{id}/pixel: what the shop's pages tell, what is wrong with it, and what to do."""

from fastapi.responses import Response

from adserver.web.api.answers import found, key_from, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows
from adserver.web.once import answer
from adserver.web.routes import api_router
from adserver.web.schemas.pixel import PixelAnswer, show_pixel

router = api_router(tags=["pixel"], dependencies=[ADVERTISERS_ONLY])


@router.get("/advertisers/{advertiser_id}/pixel", response_model=PixelAnswer, responses=problems())
def examine_pixel(advertiser_id: str, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """Each event's last time, rate and share of known ids; findings; and a rule for ids that do not match."""
    found_one = flows.manage.accounts.advertiser(caller.reach, key_from("adv", advertiser_id))
    advertiser = found(found_one)
    return answer(show_pixel(advertiser.item_id_rule, flows.pixel_doctor.examine(advertiser)))
