"""Who wants to be on a publisher's pages, as JSON."""

from pydantic import Field

from adserver.domain.admission import Admission
from adserver.domain.identity import write_id
from adserver.flows.manage import Asking
from adserver.web.schemas.creatives import Template
from adserver.web.schemas.fields import Strict


class AskingCreative(Strict):
    creative_id: str
    campaign_id: str
    template: Template
    brand: str
    preview: str = Field(description="add `/300x250.html`, `.gif`, `.png`, ..., or `/sheet.png`")


class AskingAnswer(Strict):
    advertiser_id: str
    name: str
    domains: list[str]
    categories: list[str]
    admission: Admission = Field(
        description="`waiting` for your word, `shown` without it, `approved`, `refused`, or of a `category`"
        " that you block"
    )
    creatives: list[AskingCreative] = Field(description="at most six of those that are shown now")


def show_asking(publisher_id: str, asking: Asking) -> AskingAnswer:
    advertiser = asking.advertiser
    base = f"/api/v1/publishers/{publisher_id}/creatives"
    return AskingAnswer(
        advertiser_id=write_id("adv", advertiser.key),
        name=advertiser.name,
        domains=list(advertiser.domains),
        categories=list(advertiser.categories),
        admission=asking.admission,
        creatives=[
            AskingCreative(
                creative_id=write_id("crv", one.key),
                campaign_id=write_id("cmp", one.campaign_key),
                template=one.template,
                brand=one.brand.name,
                preview=f"{base}/{write_id('crv', one.key)}/preview",
            )
            for one in asking.creatives
        ],
    )
