"""/api/v1/publishers/{id}/earnings/{month}: a publisher's traffic and earnings by slot."""

from fastapi.responses import Response

from adserver.web.api.answers import found, key_from, problems
from adserver.web.api.statements import read_month_of
from adserver.web.auth import PUBLISHERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows
from adserver.web.once import answer
from adserver.web.routes import api_router
from adserver.web.schemas.earnings import EarningsAnswer, show_earnings

router = api_router("/publishers", tags=["statements"], dependencies=[PUBLISHERS_ONLY])


@router.get("/{publisher_id}/earnings/{month}", response_model=EarningsAnswer, responses=problems())
def get_earnings(publisher_id: str, month: str, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """A month (`yyyy-mm`, in the network's zone) by slot: traffic, earnings, and what was not billed."""
    publisher = found(flows.manage.accounts.publisher(caller.reach, key_from("pub", publisher_id)))
    told = flows.books.earnings.month(publisher, *read_month_of(month))
    return answer(show_earnings(publisher, told, flows.books.publishers.timezone))
