"""/api/v1/network: who runs it, how the server was started, and what has happened at least once."""

from fastapi.responses import Response

from adserver.flows.network import ManageNetwork, NotTold
from adserver.web.api.answers import problems
from adserver.web.auth import OPERATORS_ONLY
from adserver.web.flows import CurrentFlows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.network import NetworkAnswer, NetworkChange, show_network

router = api_router("/network", tags=["network"], dependencies=[OPERATORS_ONLY])


@router.get("", response_model=NetworkAnswer, responses=problems())
def get_network(flows: CurrentFlows) -> Response:
    return _answer(flows.network)


@router.patch("", response_model=NetworkAnswer, responses=problems(409))
def change_network(change: NetworkChange, flows: CurrentFlows) -> Response:
    changed = flows.network.change(change.edit)
    if isinstance(changed, NotTold):
        raise Problem(changed.value)
    return _answer(flows.network)


def _answer(manage: ManageNetwork) -> Response:
    return answer(show_network(manage.network(), manage.running, manage.progress()))
