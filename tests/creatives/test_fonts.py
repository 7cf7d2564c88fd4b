"""Every letter finds its font, and every line is written as its readers read it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from creatives import assets, fonts
from creatives.assets import FontUnreadable, fonts_in, own_families
from creatives.fonts import missing_scripts, runs, scripts_of, seen, text_width, uncovered, use_fonts
from creatives.lettering import Lines, Style, Voice, drawable, wrapped
from creatives.plan import Box
from creatives.script import direction_of, in_order, joined, pieces_of

LATIN, ARABIC, EAST = own_families()
REGULAR = Style("Regular", 16, "#000000")
SHIRT = "قميص"
NO_EARLY = "、。」ー！？)"


@pytest.fixture
def fonts_of_a_bare_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Only Roboto is there."""
    monkeypatch.setattr(fonts, "own_families", lambda: (LATIN,))
    use_fonts(())
    yield
    monkeypatch.undo()
    use_fonts(())


@pytest.mark.parametrize(
    ("text", "direction", "shown"),
    [
        ("Boots", "L", "Boots"),
        ("שלום", "R", "םולש"),
        ("שלום (XL)", "R", "(XL) םולש"),
        ("(XL) 100%", "R", "100% (XL)"),
        ("Nike (XL) שלום", "R", "םולש Nike (XL)"),
        ("שלום (עולם) [2]", "R", "[2] (םלוע) םולש"),
        ("שלום 12.50", "R", "12.50 םולש"),
        ("Nike שלום 42", "L", "Nike 42 םולש"),
        ("\u200f149.00\u00a0\u200f₪", "R", "₪\u00a0149.00"),
        (")) שלום ((", "R", ")) םולש (("),
    ],
)
def test_a_line_is_seen_in_the_order_its_readers_expect(text: str, direction: str, shown: str) -> None:
    assert seen(in_order(text, direction)) == shown


@pytest.mark.parametrize(
    ("text", "rtl", "direction"),
    [
        ("Boots שלום", True, "L"),
        ("שלום Boots", False, "R"),
        ("42 - 44", True, "R"),
        ("42 - 44", False, "L"),
        ("\u200f149 AED", False, "R"),
    ],
)
def test_a_text_begins_where_its_first_letter_does(text: str, rtl: bool, direction: str) -> None:
    assert direction_of(text, rtl=rtl) == direction


def test_arabic_letters_join_their_neighbours() -> None:
    shown = joined(SHIRT)
    assert shown == "ﻗﻤﻴﺺ"
    assert joined("Boots") == "Boots"
    assert uncovered(shown) == ""


def test_a_line_of_chinese_or_japanese_ends_behind_any_letter_but_before_no_closing_mark() -> None:
    assert (
        "".join(before + piece for before, piece in pieces_of("冬の帽子 Nike、黒")).strip()
        == "冬の帽子 Nike、黒"
    )
    for width in range(20, 200, 4):
        lines = wrapped("冬の帽子「ニット」、あったかいー！（防寒）", REGULAR, width, 9)
        assert not any(line[0] in NO_EARLY for line in lines[1:] if width > 80), lines
        assert not any(line[-1] in "「（" for line in lines if width > 80), lines
        assert all(text_width(line, "Regular", 16) <= width for line in lines)


@pytest.mark.parametrize(
    ("language", "place"),
    [
        ("ja", 0),
        ("ja-JP", 0),
        ("ko", 1),
        ("zh", 2),
        ("zh_CN", 2),
        ("zh-TW", 3),
        ("zh-Hant-TW", 3),
        ("zh-HK", 4),
        ("fr", 2),
    ],
)
def test_a_han_letter_has_the_shape_of_its_language(language: str, place: int) -> None:
    (run,) = runs("直帽", "Regular", language)
    assert run.face.place == place
    assert runs("直帽", "Bold", language)[0].face.thickened


def test_each_piece_of_a_line_has_the_font_that_has_its_letters() -> None:
    pieces = runs("Nike ﻗﻤﻴﺺ 帽", "Bold", "ar")
    assert [run.text for run in pieces] == ["Nike ", "ﻗﻤﻴﺺ ", "帽"]
    assert [run.face.path for run in pieces] == [family.bold.path for family in (LATIN, ARABIC, EAST)]


@pytest.mark.usefixtures("fonts_of_a_bare_machine")
def test_the_operators_fonts_draw_what_ours_do_not_have(tmp_path: Path) -> None:
    assert uncovered(joined(SHIRT))
    assert {"Arabic", "Chinese", "Japanese", "Korean"} <= set(missing_scripts())
    folder = tmp_path / "fonts" / "sub"
    folder.mkdir(parents=True)
    for name in ("Ours-Regular.ttf", "Ours-Bold.ttf"):
        shutil.copy(ARABIC.regular.path, folder / name)
    use_fonts(fonts_in(str(tmp_path / "fonts")))
    assert not uncovered(joined(SHIRT))
    assert runs(joined(SHIRT), "Bold", "ar")[0].face.path.endswith("Ours-Bold.ttf")


@pytest.mark.usefixtures("fonts_of_a_bare_machine")
def test_a_file_that_is_no_font_is_named_and_left_out(tmp_path: Path) -> None:
    (tmp_path / "Notes.ttf").write_text("not a font")
    (tmp_path / "Gone.ttf").symlink_to(tmp_path / "nowhere.ttf")
    (tmp_path / "readme.txt").write_text("not even called one")
    with pytest.warns(FontUnreadable, match=r"Notes\.ttf is no font"):
        use_fonts(fonts_in(str(tmp_path)))


def test_fonts_are_sought_in_one_order_and_not_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "SYSTEM_FOLDERS", (str(tmp_path / "system"),))
    for folder, names in (
        ("given", [f"{number:03}.ttf" for number in range(100)]),
        ("system", ["DejaVuSans.ttf", "NotoSansHebrew-Regular.ttf", "SomebodysOwn.ttf"]),
    ):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).touch()
    found = [Path(path).name for path in fonts_in(str(tmp_path / "given"))]
    assert found[:64] == [f"{number:03}.ttf" for number in range(64)]
    assert found[64:] == ["NotoSansHebrew-Regular.ttf", "DejaVuSans.ttf"]
    assert [Path(path).name for path in fonts_in(None)] == found[64:]


def test_letters_that_move_around_each_other_are_not_drawn_whatever_fonts_there_are() -> None:
    assert scripts_of(uncovered("ऊनी தொப்பி ဦးထုပ် មួក")) == "DEVANAGARI, KHMER, MYANMAR, TAMIL"


def test_words_from_the_right_end_at_the_right_edge_of_their_box() -> None:
    def ink(rtl: bool) -> tuple[int, int, int, int]:
        canvas = Image.new("RGB", (300, 60), "white")
        lines = Lines(canvas, Box(10, 0, 290, 60), Voice("ar" if rtl else "en", rtl))
        lines.add(SHIRT, REGULAR, 2)
        lines.draw()
        box = ImageChops.invert(canvas).getbbox()
        assert box is not None
        return box

    assert ink(True)[2] in range(286, 292)
    assert ink(False)[0] in range(8, 14)


def test_marks_of_direction_are_heard_and_not_drawn() -> None:
    assert text_width("a\u200f\u200eb", "Regular", 16) == text_width("ab", "Regular", 16)
    assert drawable("\u200f149\u00a0AED") == "\u200f149\u00a0AED"
