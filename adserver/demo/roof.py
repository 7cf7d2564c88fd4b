"""The service's own pictures: a house with solar panels on its roof, by day and in the evening."""

from adserver.demo.studio import Point, Studio, arc, curve

# Coordinates read better side by side than one below the other.
# fmt: off


def solar_roof(sky: str, low_sun: bool) -> Studio:
    """The service's own picture: a house with panels on its roof, by day or in the evening."""
    studio = Studio(sky, size=(900, 600))
    sun = (826, 226) if low_sun else (812, 96)
    studio.glow(sun, 330, (255, 206, 120) if low_sun else (255, 244, 200), 0.9)
    studio.cut(arc(sun, (46, 46), 0, 1), "#fff0c2", "#ffc566" if low_sun else "#ffe9a3")
    studio.cut(curve([(-60, 470), (140, 390), (330, 430), (560, 380), (980, 440), (980, 700),
        (-60, 700)]), "#9fb98b", "#7d9d70")
    studio.cut(curve([(-60, 520), (220, 478), (520, 500), (980, 470), (980, 700), (-60, 700)]),
        "#86a873", "#5f8455" )
    studio.cut([(250, 330), (650, 330), (650, 530), (250, 530)], "#f7efe2", "#e2d3bf")
    studio.cut([(650, 330), (760, 300), (760, 505), (650, 530)], "#d8c6ae", "#bfa98c")
    roof = [(196, 342), (330, 176), (720, 150), (690, 342)]
    studio.shade([(250, 342), (650, 342), (650, 366), (250, 362)], 0.5, 8)
    studio.cut(roof, "#b5614a", "#8b4433")
    studio.cut([(720, 150), (806, 312), (690, 342)], "#7f3e30", "#6b3226")
    _panels(studio)
    for x in (300, 420, 560):
        studio.cut([(x, 388), (x + 62, 388), (x + 62, 462), (x, 462)],
            "#ffe7a8" if low_sun else "#9fc3d6", "#f3c77a" if low_sun else "#6f9bb4")
        studio.line([(x + 31, 390), (x + 31, 460)], "#fbf5ea", 4)
    for x, y, size in ((120, 440, 60), (842, 420, 74)):
        studio.line([(x, y + size * 1.1), (x, y)], "#6b4a33", 10)
        studio.disc((x, y - size * 0.3), (size * 0.8, size), "#5f8f5a", 0.15)
    return studio


def _panels(studio: Studio) -> None:
    """Three by five panels that follow the slope of the roof."""

    def on_roof(across: float, down: float) -> Point:
        top, bottom = (342 + across * 366, 186 - across * 24), (228 + across * 452, 330)
        return top[0] + (bottom[0] - top[0]) * down, top[1] + (bottom[1] - top[1]) * down

    for row in range(3):
        for column in range(5):
            left, right = column / 5 + 0.012, (column + 1) / 5 - 0.012
            above, below = row / 3 + 0.03, (row + 1) / 3 - 0.03
            corners = [on_roof(left, above), on_roof(right, above), on_roof(right, below),
                on_roof(left, below)]
            studio.cut(corners, "#35588f", "#182f57")
            studio.line([on_roof((left + right) / 2, above), on_roof((left + right) / 2, below)],
                "#5f86bd", 1.4 )
            studio.line([on_roof(left, (above + below) / 2), on_roof(right, (above + below) / 2)],
                "#5f86bd", 1.4 )


def service_by_day() -> Studio:
    return solar_roof("#a9d3ea", low_sun=False)


def service_in_the_evening() -> Studio:
    return solar_roof("#f1b98d", low_sun=True)
