"""Who wants to be on a publisher's pages: advertisers with ads of now, and the publisher's word on each."""

import msgspec
from msgspec.structs import replace

from adserver.domain.admission import Admission, admissions, admitted, refused
from adserver.domain.approval import live_version
from adserver.domain.campaign import Advertiser, Creative, Status
from adserver.domain.slot import Publisher
from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.desk import NOT_FOUND, Desk, Reach, Refused

AT_ONCE = 100
MOST_CREATIVES = 6  # of an advertiser, to look at
MOST_CAMPAIGNS = 50


class Asking(msgspec.Struct, frozen=True):
    """An advertiser whose ads are shown now, how it stands with the publisher, and some of its ads."""

    advertiser: Advertiser
    admission: Admission
    creatives: list[Creative]

    @property
    def key(self) -> int:
        return self.advertiser.key


class ManageAdmissions:
    def __init__(self, desk: Desk, accounts: ManageAccounts) -> None:
        self._desk = desk
        self._accounts = accounts

    def asking(self, reach: Reach, publisher_key: int, after: int, limit: int) -> list[Asking] | Refused:
        """Those that have a running campaign with an approved creative, and how each stands."""
        publisher = self._accounts.publisher(reach, publisher_key)
        if isinstance(publisher, Refused):
            return publisher
        found: list[Asking] = []
        while page := self._desk.accounts.advertisers(after, AT_ONCE):
            standing = admissions(publisher.blocks, {one.key: one for one in page})
            for advertiser in page:
                creatives = self._shown(advertiser.key)
                if creatives:
                    found.append(Asking(advertiser, standing[advertiser.key], creatives))
                if len(found) == limit:
                    return found
            after = page[-1].key
        return found

    def creative(self, reach: Reach, publisher_key: int, key: int) -> tuple[Creative, int] | Refused:
        """One of these ads as it is shown now, and whose it is."""
        publisher = self._accounts.publisher(reach, publisher_key)
        if isinstance(publisher, Refused):
            return publisher
        known = self._desk.campaigns.creative(key)
        campaign = None if known is None else self._desk.campaigns.campaign(known.campaign_key)
        live = None if known is None else live_version(known)
        if live is None or campaign is None or campaign.status is not Status.ACTIVE:
            return NOT_FOUND
        return live, campaign.advertiser_key

    def say(
        self, reach: Reach, publisher_key: int, advertiser_keys: list[int], *, wanted: bool
    ) -> Publisher | Refused:
        """Let the advertisers in, or keep them out; from the next request on."""
        advertisers = [self._desk.accounts.advertiser(key) for key in advertiser_keys]
        word = admitted if wanted else refused

        def edit(publisher: Publisher) -> Publisher:
            blocks = publisher.blocks
            for advertiser in advertisers:
                blocks = blocks if advertiser is None else word(blocks, advertiser)
            return replace(publisher, blocks=blocks)

        return self._accounts.change_publisher(reach, publisher_key, edit)

    def _shown(self, advertiser_key: int) -> list[Creative]:
        """The advertiser's ads that may be shown now, newest campaigns first."""
        campaigns = self._desk.campaigns.campaigns(advertiser_key, -1, MOST_CAMPAIGNS)
        found: list[Creative] = []
        for campaign in reversed(campaigns):
            if campaign.status is not Status.ACTIVE:
                continue
            made = self._desk.campaigns.creatives(campaign.key, -1, MOST_CREATIVES)
            found += [live for live in map(live_version, made) if live is not None]
            if len(found) >= MOST_CREATIVES:
                break
        return found[:MOST_CREATIVES]
