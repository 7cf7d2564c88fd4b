"""The tables of what is counted: audiences' sizes, the funnel, arrivals; the others are in tables.py."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table

from adserver.domain.arrival import FIGURES
from adserver.domain.audience_reach import FEWEST_TOLD
from adserver.domain.funnel import STEPS
from adserver.storage.columns import amount, key, metadata

audience_sizes = Table(
    "audience_sizes",
    metadata,
    Column("advertiser_key", BigInteger, primary_key=True, autoincrement=False),
    Column("group_key", BigInteger, primary_key=True, autoincrement=False),
    Column("audience_key", BigInteger, nullable=False),  # 0: several audiences together
    Column("members", BigInteger, nullable=False),
    Column("reachable", BigInteger, nullable=False),
    Column("counted_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("audience_sizes_by_group", audience_sizes.c.group_key)
Index("audience_sizes_by_audience", audience_sizes.c.audience_key)

# How many visitors an advertiser has, and places of some of their profiles, empty once those are erased.
visitor_panels = Table(
    "visitor_panels",
    metadata,
    key("advertiser_key"),
    Column("body", LargeBinary, nullable=False),
)

# What a visitor did on a day at an advertiser's; kept for as long as more of that day may be told.
journeys = Table(
    "journeys",
    metadata,
    Column("visitor_key", BigInteger, primary_key=True, autoincrement=False),
    Column("advertiser_key", BigInteger, primary_key=True, autoincrement=False),
    Column("day_ms", BigInteger, primary_key=True, autoincrement=False),  # in UTC
    Column("due_ms", BigInteger, nullable=False, index=True),
    *(amount(step) for step in STEPS),
    Column("counted_as", String, nullable=False),
    Column("came_back", Boolean, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("last_key", BigInteger, nullable=False),
    Column("last_page", String, nullable=False),
    Column("form_ms", BigInteger, nullable=False),
    Column("form_key", BigInteger, nullable=False),
    Column("form_page", String, nullable=False),
    Column("newest_key", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The sums of journeys, of nobody.
funnel_figures = Table(
    "funnel_figures",
    metadata,
    Column("advertiser_key", BigInteger, primary_key=True, autoincrement=False),
    Column("day_ms", BigInteger, primary_key=True, autoincrement=False, index=True),
    Column("counted_as", String, primary_key=True),
    Column("step", String, primary_key=True),
    amount("reached"),  # by so many visitors
    amount("events"),
    sqlite_with_rowid=False,
)
funnel_exits = Table(
    "funnel_exits",
    metadata,
    Column("advertiser_key", BigInteger, primary_key=True, autoincrement=False),
    Column("day_ms", BigInteger, primary_key=True, autoincrement=False, index=True),
    Column("step", String, primary_key=True),
    Column("page", String, primary_key=True),
    amount("left_here"),  # so many visitors
    sqlite_with_rowid=False,
)
# A page that few were at may say who they are: it leaves once their journeys do.
FEW = funnel_exits.c.left_here < FEWEST_TOLD
Index("funnel_exits_of_few", funnel_exits.c.day_ms, sqlite_where=FEW)

# How far a job has come that takes rows in by their keys.
roll_ups = Table(
    "roll_ups",
    metadata,
    Column("name", String, primary_key=True),
    Column("cursor", BigInteger, nullable=False),
)

counts = Table(
    "counts",
    metadata,
    Column("owner_key", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String, primary_key=True),
    Column("hour_ms", BigInteger, primary_key=True, autoincrement=False, index=True),
    Column("n", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# What became of clicks, for reports; nothing of whose they were.
arrivals = Table(
    "arrivals",
    metadata,
    Column("advertiser_key", BigInteger, primary_key=True, autoincrement=False),
    Column("day_ms", BigInteger, primary_key=True, autoincrement=False, index=True),  # of the click, in UTC
    Column("campaign_key", BigInteger, primary_key=True, autoincrement=False),
    Column("slot_key", BigInteger, primary_key=True, autoincrement=False),
    Column("product_key", BigInteger, primary_key=True, autoincrement=False),
    Column("creative_key", BigInteger, primary_key=True, autoincrement=False),  # 0: a product's click
    *(amount(name) for name in FIGURES),
    sqlite_with_rowid=False,
)

# Items that pages have named of late, for the doctor; nothing of who looked at them.
pixel_samples = Table(
    "pixel_samples",
    metadata,
    Column("advertiser_key", BigInteger, primary_key=True, autoincrement=False),
    Column("event", String, primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("item_id", String, nullable=False),
    Column("price_micros", BigInteger),
    Column("currency", String),
    Column("at_ms", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)
