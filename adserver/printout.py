"""What the `adserver feed` commands say of a feed in a terminal, and how far they have come."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from adserver.domain.catalogue import Product, RejectedRow
from adserver.domain.feed_file import FeedRefusal
from adserver.domain.money import MICROS_PER_UNIT
from adserver.flows.feed import FeedCheck

MOST_ROWS_LISTED = 40
_ASKED = (FeedRefusal.CURRENCY_NEEDED.value, FeedRefusal.LINK_NEEDED.value)  # every row lacks the same
_MOST_CHARACTERS = 70  # of a text from the feed, so that a row stays a line


def print_check(check: FeedCheck, name: str, out: Console, err: Console) -> None:
    """The whole answer; what ends the feed goes to `err`."""
    found = "of no known format" if check.format is None else check.format.value
    left_out = f", {check.rejected_count:,} left out" if check.rejected_count else ""
    out.print(
        Text(f"{printable(name, 300)}: {_several(check.products, 'product')} ({found}){left_out}"),
        soft_wrap=True,
    )
    if check.fatal is None or not check.fatal.startswith(_ASKED):
        _print_rows(check, out)
    if check.notes:
        out.print(_counted("Notes on products that were taken", check.notes, check))
    if check.sample:
        out.print(f"\nThe first {len(check.sample)} products, as they were read:")
    for product in check.sample:
        _print_product(product, out)
    if check.fatal is not None:
        err.print(Text(f"nothing can be imported: {printable(check.fatal, 300)}"), soft_wrap=True)
        refusal = next((one for one in check.advice if check.fatal.startswith(one)), "")
        err.print(Text(f"what to do: {check.advice.get(refusal, '')}"), soft_wrap=True)


def _counted(title: str, counts: dict[str, int], check: FeedCheck) -> Table:
    table = Table(title=f"\n{title}:", title_justify="left", title_style="", box=SIMPLE, show_header=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for name, count in counts.items():
        table.add_row(f"{count:,}", name, check.advice[name])
    return table


def _print_rows(check: FeedCheck, out: Console) -> None:
    if check.reasons:
        out.print(_counted("Rows left out", check.reasons, check))
    for row in check.rejected[:MOST_ROWS_LISTED]:
        out.print(Text(_told(row)), soft_wrap=True)
    more = check.rejected_count - MOST_ROWS_LISTED
    if more > 0:
        out.print(f"  ... and {more:,} more; --json lists them")


def _told(row: RejectedRow) -> str:
    return f"  line {row.line}: {printable(row.item_id or 'no id')}: {row.reason}"


def _print_product(product: Product, out: Console) -> None:
    pictures = (product.image_link is not None) + len(product.additional_image_links)
    about = (
        _price(product),
        product.availability.value,
        _several(pictures, "picture"),
        product.brand or "",
        product.product_type or "",
        f"of the group {product.item_group_id}" if product.item_group_id else "",
    )
    out.print(Text(f"  {printable(product.item_id)}: {printable(product.title)}"), soft_wrap=True)
    out.print(Text("      " + ", ".join(printable(one) for one in about if one)), soft_wrap=True)
    out.print(Text("      " + printable(product.link, 200)), soft_wrap=True)


def _price(product: Product) -> str:
    full, sale = _amount(product.price_micros), product.sale_price_micros
    return (
        f"{full} {product.currency}"
        if sale is None
        else f"{_amount(sale)} instead of {full} {product.currency}"
    )


def _amount(micros: int) -> str:
    units, rest = divmod(micros, MICROS_PER_UNIT)
    return f"{units:,}.{f'{rest:06}'.rstrip('0'):0<2}"


def _several(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def printable(text: str, most_characters: int = _MOST_CHARACTERS) -> str:
    """A stranger's text on the operator's terminal: no letter of it may steer the terminal."""
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    return shown if len(shown) <= most_characters else shown[: most_characters - 3] + "..."


@contextmanager
def progress_bar(console: Console, size_bytes: int) -> Iterator[Callable[[int, int], None]]:
    """Rows and bytes read so far, on a terminal and for as long as it takes."""
    columns = (BarColumn(), DownloadColumn(), TextColumn("{task.fields[rows]:,} rows"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=size_bytes, rows=0)

        def tell(rows: int, bytes_read: int) -> None:
            # Of a compressed file more bytes are read than it has.
            progress.update(task, completed=bytes_read, total=max(size_bytes, bytes_read), rows=rows)

        yield tell
