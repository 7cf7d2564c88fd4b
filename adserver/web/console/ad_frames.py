"""An ad as a slot of a size would show it, framed by our own pages; or a word on why there is none."""

from fastapi.responses import Response

from adserver.domain.campaign import Creative
from adserver.flows.preview import NoPreview, Wish
from adserver.web.console.campaign_words import problem_in_words
from adserver.web.console.page import HEADERS
from adserver.web.console.visit import Visit
from adserver.web.flows import Flows
from creatives.formats import FORMATS

FRAMED = {"X-Frame-Options": "SAMEORIGIN"}
_POLICY = "Content-Security-Policy"


def frame(flows: Flows, visit: Visit, creative: Creative, advertiser_key: int, name: str) -> Response:
    if name not in FORMATS:
        return unseen(visit, problem_in_words("not_found", visit.language))
    shown = flows.preview.shown(creative, advertiser_key, Wish())
    if isinstance(shown, NoPreview):
        return unseen(visit, problem_in_words(str(shown), visit.language))
    document = flows.preview.document(shown, FORMATS[name])
    headers = HEADERS | FRAMED | {_POLICY: document.content_security_policy}
    return Response(document.body, media_type="text/html", headers=headers)


def unseen(visit: Visit, flaw: str) -> Response:
    """Where an ad would stand."""
    answer = visit.page("campaign_unseen.html", flaw=flaw)
    policy = HEADERS[_POLICY].replace("frame-ancestors 'none'", "frame-ancestors 'self'")
    answer.headers.update(FRAMED | {_POLICY: policy})
    return answer
