"""What the demo's shop sells, in one table."""

import msgspec


class Ware(msgspec.Struct, frozen=True):
    """A product of the shop; prices are in euros, `was` is the price before the sale."""

    item_id: str
    title: str
    price: int
    kind: str
    words: str
    was: int | None = None


SHOP_NAME = "Fennel & Oak"
SERVICE_NAME = "Brightside Solar"
PAPER_NAME = "The Harbour Gazette"
CODE_CAMPAIGN, CODE, OFF_PERCENT = "Ten percent off", "HELLO10", 10

WARES = (
    Ware(
        "lamp-table",
        "Dome table lamp, mustard",
        149,
        "Lamps",
        "Spun steel, warm light, a brass stem.",
        was=179,
    ),
    Ware(
        "vase-moon",
        "Moon vase, sea blue",
        79,
        "Ceramics",
        "Thrown in one piece; darker where the glaze pools.",
    ),
    Ware(
        "chair-shell",
        "Shell chair, forest wool",
        319,
        "Chairs",
        "Wool felt over a moulded shell, walnut legs.",
    ),
    Ware(
        "bag-day",
        "Day backpack, rust canvas",
        118,
        "Bags",
        "Waxed canvas, a leather flap, room for a laptop.",
    ),
    Ware("teapot", "Teapot, terracotta", 89, "Ceramics", "Holds a litre. The handle stays cool."),
    Ware("lamp-pendant", "Pendant lamp, brushed brass", 189, "Lamps", "For above the table; ages well."),
    Ware(
        "mug-morning", "Morning mug, moss", 22, "Ceramics", "Speckled stoneware, a handle for three fingers."
    ),
    Ware("stool-oak", "Oak stool", 95, "Chairs", "Solid oak, oiled, no screws."),
    Ware("vase-tall", "Tall stoneware vase, sand", 64, "Ceramics", "For branches and long stems.", was=78),
    Ware("bag-tote", "Canvas tote, indigo", 54, "Bags", "Eighteen-ounce canvas that gets softer."),
    Ware("bowl-ramen", "Ramen bowl, speckled", 28, "Ceramics", "Deep, wide, and at home in the oven."),
    Ware("lamp-floor", "Arc floor lamp", 259, "Lamps", "Reads over your shoulder.", was=299),
)
BY_ID = {ware.item_id: ware for ware in WARES}
