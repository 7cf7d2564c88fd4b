"""Countries whose law reads silence as a no."""

from collections.abc import Mapping
from types import MappingProxyType

from pixel.consent import Region

# The EEA, its outermost regions with codes of their own, the United Kingdom and Switzerland; then territories
# of theirs with the same law, and EU, as which some databases know what lies in no one country.
STRICT_COUNTRIES = frozenset(
    """
    AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK IS LI NO
    AX GF GP MF MQ RE YT GB CH
    BL NC PF PM TF WF SJ GG GI IM JE EU
    """.split()
)
_NO_RULES: Mapping[str, Region] = MappingProxyType({})


def region_of(country: str | None, default: Region, rules: Mapping[str, Region] = _NO_RULES) -> Region:
    """How silence is read in `country` (ISO 3166, two capitals), or `default` where it is unknown.

    The operator's `rules` speak for countries that no European law makes strict.
    """
    if not country:
        return default
    if country in STRICT_COUNTRIES:
        return Region.STRICT
    return rules.get(country, Region.OPEN)
