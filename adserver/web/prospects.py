"""Whom a campaign that is yet to be made would reach, and what it would do; the API and the console ask."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from adserver.domain.audience import Audience, ItemFilter, Rule
from adserver.domain.audience_presets import Preset, expanded
from adserver.domain.audience_reach import GroupSize
from adserver.domain.campaign import Campaign
from adserver.domain.outlook import Outlook, Unknown
from adserver.flows.manage import Reach, Refused
from adserver.web.flows import Flows

READY_MADE = tuple(preset for preset in Preset if preset is not Preset.HIGH_CART_VALUE)


class Narrowed(msgspec.Struct, frozen=True):
    """A ready-made audience within other days, and for some items only."""

    days: int | None = None
    items: ItemFilter | None = None
    threshold_micros: int = 0

    def rule(self, rule: Rule) -> Rule:
        named = rule.items if self.items is None else self.items
        return replace(rule, retention_days=self.days or rule.retention_days, items=named)


AS_IT_IS = Narrowed()


def audience_of(
    flows: Flows, advertiser_key: int, preset: Preset, narrowed: Narrowed = AS_IT_IS, name: str = ""
) -> Audience:
    """What a preset stands for at a shop; whoever it keeps out is kept out for as long as it looks back."""
    rules = expanded(preset, flows.manage.audiences.retention, narrowed.threshold_micros)
    usual = {rule.retention_days for rule in rules.inclusions}
    days = Narrowed(narrowed.days)
    return Audience(
        key=0,
        advertiser_key=advertiser_key,
        name=name,
        inclusions=tuple(map(narrowed.rule, rules.inclusions)),
        exclusions=tuple(
            days.rule(rule) if rule.retention_days in usual else rule for rule in rules.exclusions
        ),
        stop_days=rules.stop_days,
    )


def preset_sizes(
    flows: Flows, advertiser_key: int, narrowed: Narrowed = AS_IT_IS
) -> list[tuple[Preset, GroupSize | None]]:
    drafts = [audience_of(flows, advertiser_key, preset, narrowed) for preset in READY_MADE]
    return list(zip(READY_MADE, flows.audience_sizes.previews(drafts), strict=True))


def outlook_of(flows: Flows, campaign: Campaign) -> tuple[Outlook | Unknown, GroupSize | None]:
    size = flows.audience_sizes.of_campaign(campaign)
    return flows.decisions.outlooks.of(campaign, size), size


def outlook_of_draft(
    flows: Flows, reach: Reach, draft: Campaign, presets: Sequence[Preset]
) -> tuple[Outlook | Unknown, GroupSize | None] | Refused:
    """Of a campaign that is not saved, nor are those of its audiences that `presets` stand for."""
    group = [audience_of(flows, draft.advertiser_key, preset) for preset in presets]
    for named in draft.terms.audience_rates:
        audience = flows.manage.audiences.audience(reach, named.audience_key)
        if isinstance(audience, Refused):
            return audience
        group.append(audience)
    if not presets:
        return outlook_of(flows, draft)
    size = flows.audience_sizes.of_any(draft.advertiser_key, group)
    return flows.decisions.outlooks.of(draft, size), size
