"""The demo's own pictures: what the shop sells, drawn here and nowhere photographed."""

from collections.abc import Callable

from adserver.demo.studio import Point, Studio, arc, curve

# Coordinates read better side by side than one below the other.
# fmt: off


def tall_vase() -> Studio:
    studio = Studio("#e9dfd2", "#cdb9a2")
    studio.shadow((318, 512), (120, 22))
    _branch(studio, (300, 236), (250, 150), (196, 66), 6)
    _branch(studio, (300, 236), (296, 140), (300, 34), 7)
    _branch(studio, (300, 236), (342, 160), (398, 84), 6)
    studio.turned(300, [(196, 38), (212, 33), (250, 36), (310, 66), (380, 88), (440, 84),
        (490, 62)], "#d8c3a5", gloss=0.18, speckles=260)
    studio.mouth((300, 196), (38, 10), "#d8c3a5", "#8a6f55")
    for tip, bend in (((232, 150), (262, 170)), ((352, 148), (330, 172))):
        studio.line(curve([(300, 200), bend, tip], closed=False), "#7c7a4e", 3)
    return studio


def _branch(studio: Studio, root: Point, bend: Point, tip: Point, leaves: int) -> None:
    stem = curve([root, bend, tip], closed=False, steps=20)
    studio.line(stem, "#7c7a4e", 3.4)
    for number in range(leaves):
        x, y = stem[8 + number * (len(stem) - 10) // leaves]
        for side in (-1, 1):
            far = (x + side * 36, y - 22 + number * 1.5)
            near = (x + side * 14, y - 24)
            low = (x + side * 22, y - 2)
            studio.cut(curve([(x, y), near, far, low]), "#a9b089", "#6f7d58")


def moon_vase() -> Studio:
    studio = Studio("#dce6ea", "#b9c9cf")
    studio.shadow((316, 500), (160, 24))
    studio.turned(300, [(206, 44), (220, 38), (236, 58), (268, 110), (330, 146), (396, 138), (450, 104),
        (484, 66)], "#3f7a94", gloss=0.62, round_foot=0.14)
    studio.mouth((300, 206), (44, 11), "#3f7a94", "#24495c")
    studio.shine(curve([(212, 300), (226, 268), (240, 266), (228, 320), (218, 352)]), 0.5, 5)
    return studio


def ramen_bowl() -> Studio:
    studio = Studio("#efe6da", "#d7c3ab")
    studio.shadow((314, 468), (150, 22))
    studio.turned(300, [(440, 66), (462, 62)], "#c9b79d", gloss=0.1)
    studio.turned(300, [(300, 190), (318, 188), (360, 172), (404, 138),
        (440, 84)], "#efe7d8", gloss=0.30, round_foot=0.08, speckles=420)
    studio.mouth((300, 300), (190, 50), "#efe7d8", "#cbbfa8", 9)
    for drop, tint in ((16, "#2f566f"), (27, "#7fa0b0")):
        band = arc((300, 300 + drop), (189 - drop * 0.22, 52), 0.02, 0.48)
        studio.line(band, tint, 5 if drop == 16 else 2)
    studio.line([(120, 254), (446, 286)], "#6d4630", 9)
    studio.line([(132, 236), (456, 274)], "#835739", 9)
    return studio


def morning_mug() -> Studio:
    studio = Studio("#e6e9dc", "#c6ccb4")
    studio.shadow((312, 488), (140, 22))
    studio.line(curve([(384, 292), (462, 288), (474, 352), (446, 404), (380, 414)], closed=False),
        "#5c6b46", 30 )
    studio.line(curve([(384, 288), (456, 286), (466, 340)], closed=False), "#8fa070", 8)
    studio.turned(282, [(232, 112), (250, 113), (360, 114), (440, 110),
        (466, 96)], "#71845a", gloss=0.45, speckles=240 )
    studio.mouth((282, 232), (112, 28), "#71845a", "#b9b394", 7)
    studio.disc((282, 242), (96, 20), "#4a2c1c", 0.25)
    for x, rise in ((250, 0), (288, -16), (322, 4)):
        steam = curve([(x, 206 + rise), (x - 14, 168 + rise), (x + 12, 130 + rise),
            (x - 4, 84 + rise)], closed=False )
        studio.shine([*steam, *[(px + 11, py) for px, py in reversed(steam)]], 0.5, 5)
    return studio


def teapot() -> Studio:
    studio = Studio("#f0dfd4", "#d9b9a5")
    studio.shadow((312, 486), (180, 24))
    studio.line(curve([(256, 262), (250, 150), (300, 116), (350, 150), (344, 262)], closed=False),
        "#6d4a2f", 15 )
    studio.line(curve([(253, 240), (252, 156), (298, 124)], closed=False), "#a97b52", 4)
    studio.cut(curve([(408, 392), (420, 330), (474, 300), (500, 252), (526, 246), (516, 298), (486, 356),
        (432, 420)] ), "#c96f4c", "#8f4329")
    studio.disc((513, 250), (15, 6), "#7c3a24")
    studio.turned(300, [(262, 70), (276, 100), (320, 136), (370, 148), (420, 134),
        (460, 100)], "#c4694a", gloss=0.38, round_foot=0.14)
    studio.turned(300, [(240, 26), (250, 54), (262, 74)], "#cf7655", gloss=0.35, round_foot=0.18)
    studio.turned(300, [(212, 12), (222, 19), (234, 17), (242, 12)], "#6d4a2f", gloss=0.4)
    studio.shine(curve([(206, 330), (224, 296), (238, 300), (220, 350), (210, 384)]), 0.36, 6)
    return studio


def table_lamp() -> Studio:
    studio = Studio("#e4ddd0", "#c5b59c")
    studio.shadow((314, 508), (118, 20))
    studio.glow((300, 330), 230, (255, 226, 150), 0.62)
    studio.turned(300, [(300, 7), (470, 7)], "#b08d4f", gloss=0.6, round_foot=0.2)
    studio.turned(300, [(470, 40), (486, 92), (500, 96)], "#b08d4f", gloss=0.55, round_foot=0.10)
    studio.disc((300, 326), (150, 34), "#fff0c0", 0.5)
    studio.turned(300, [(152, 14), (168, 60), (210, 110), (264, 140),
        (318, 152)], "#dba43a", gloss=0.42, round_foot=0.19)
    studio.turned(300, [(138, 8), (152, 12)], "#b08d4f", gloss=0.6)
    studio.shine(arc((300, 322), (136, 25), 0.04, 0.46), 0.62, 4)
    return studio


def pendant_lamp() -> Studio:
    studio = Studio("#d5dcd6")
    studio.glow((300, 420), 260, (255, 224, 150), 0.75)
    studio.line([(300, 0), (300, 190)], "#3b3a36", 4)
    studio.turned(300, [(178, 13), (192, 22), (226, 24)], "#8a6a2f", gloss=0.6)
    studio.turned(300, [(226, 26), (262, 44), (300, 92), (348, 160), (392, 190),
        (400, 191)], "#b98b3c", gloss=0.72, round_foot=0.17)
    studio.disc((300, 402), (190, 34), "#fbe4a2", 0.45)
    studio.disc((300, 404), (174, 28), "#fff3cf", 0.3)
    studio.disc((300, 412), (44, 22), "#ffffff", 0.1)
    studio.shine(curve([(196, 352), (226, 296), (244, 286), (222, 344), (208, 376)]), 0.45, 6)
    return studio


def floor_lamp() -> Studio:
    studio = Studio("#e7dcd8", "#cbb4aa")
    studio.shadow((196, 520), (104, 16))
    studio.glow((410, 250), 190, (255, 230, 170), 0.8)
    pole = curve([(190, 508), (180, 320), (204, 150), (290, 72), (376, 96),
        (410, 166)], closed=False, steps=24 )
    studio.line(pole, "#2c2b2e", 8)
    studio.line([(x - 2, y - 1) for x, y in pole], "#6b696e", 2)
    studio.turned(190, [(494, 70), (506, 88), (514, 90)], "#2f2e31", gloss=0.4, round_foot=0.13)
    studio.disc((410, 246), (96, 22), "#fff2cc", 0.4)
    studio.turned(410, [(160, 16), (172, 44), (206, 76), (242, 96)], "#efe9e0", gloss=0.3, round_foot=0.19)
    studio.turned(410, [(150, 9), (162, 12)], "#2f2e31", gloss=0.4)
    studio.shine(arc((410, 246), (86, 16), 0.03, 0.47), 0.9, 3)
    return studio


def shell_chair() -> Studio:
    studio = Studio("#dfe5dc", "#bcae9a")
    studio.shadow((306, 530), (170, 20), 0.34)
    for top, foot, tint in (((236, 388), (176, 524), "#5f3d25"), ((368, 388), (424, 524), "#57371f")):
        studio.line([top, foot], tint, 12)
    back = curve([(168, 152), (214, 108), (300, 96), (386, 108), (432, 152), (428, 262), (402, 352),
        (198, 352), (172, 262)] )
    studio.cut(back, "#4d7a5e", "#2c503c")
    studio.shade(curve([(200, 350), (230, 268), (300, 250), (370, 268), (400, 350), (300, 372)]),
        0.5, 18, back )
    studio.shine(curve([(190, 160), (228, 122), (290, 112), (230, 150), (204, 220), (192, 250)]), 0.28, 10)
    seat = curve([(186, 334), (240, 312), (300, 308), (360, 312), (414, 334), (440, 372), (400, 404),
        (300, 414), (200, 404), (160, 372)] )
    studio.cut(seat, "#5c8f6f", "#2f5642")
    studio.shine(curve([(196, 346), (260, 322), (330, 320), (250, 344), (196, 366)]), 0.25, 8)
    for top, foot, tint in (((212, 400), (146, 540), "#7b5231"), ((388, 400), (454, 540), "#70482a")):
        studio.line([top, foot], tint, 15)
        studio.line([(top[0] - 3, top[1]), (foot[0] - 3, foot[1])], "#a0714a", 3)
    return studio


def oak_stool() -> Studio:
    studio = Studio("#ebe2d6", "#cfc0ad")
    studio.shadow((306, 512), (140, 20), 0.36)
    for top, foot, tint in (((262, 262), (236, 500), "#a87a48"), ((338, 262), (364, 500), "#9a6d3e")):
        studio.line([top, foot], tint, 15)
    studio.line([(206, 410), (396, 410)], "#b98a55", 10)
    for top, foot, tint in (((204, 262), (166, 516), "#c79660"), ((396, 262), (434, 516), "#b5834d")):
        studio.line([top, foot], tint, 19)
        studio.line([(top[0] - 4, top[1]), (foot[0] - 4, foot[1])], "#deb584", 4)
    studio.turned(300, [(228, 152), (252, 152)], "#c6955c", gloss=0.22, round_foot=0.20)
    studio.disc((300, 226), (152, 34), "#dcae76", 0.25)
    for share in (0.82, 0.6, 0.36, 0.14):
        studio.line(arc((292, 226), (152 * share, 34 * share), 0, 1), "#c89a62", 1.6)
    return studio


def canvas_tote() -> Studio:
    studio = Studio("#e2e4ec", "#c3c6d4")
    studio.shadow((306, 520), (150, 18))
    studio.line(curve([(238, 250), (234, 130), (300, 78), (366, 130), (362, 250)], closed=False),
        "#2c3a5c", 15 )
    body = curve([(172, 232), (300, 222), (428, 232), (440, 300), (446, 430), (438, 506), (300, 516),
        (162, 506), (154, 430), (160, 300)] )
    studio.cut(body, "#46598a", "#2b3860")
    studio.shade([(390, 220), (470, 220), (470, 530), (410, 530)], 0.5, 26, body)
    studio.shine(curve([(180, 250), (240, 244), (226, 340), (214, 470), (178, 480), (170, 350)]), 0.20, 16)
    studio.line(curve([(232, 290), (226, 160), (300, 96), (374, 160), (368, 290)], closed=False),
        "#55699f", 15 )
    for x in (232, 368):
        studio.stitches([(x - 4, y) for y in range(262, 296, 5)], "#d9c9a4")
        studio.stitches([(x + 4, y) for y in range(262, 296, 5)], "#d9c9a4")
    studio.stitches(curve([(180, 258), (300, 250), (420, 258)], closed=False), "#d9c9a4")
    studio.cut([(262, 338), (338, 338), (338, 400), (262, 400)], "#c08a55", "#99663a")
    studio.stitches([(x, 346) for x in range(268, 336, 6)], "#ecd9b0")
    studio.stitches([(x, 392) for x in range(268, 336, 6)], "#ecd9b0")
    return studio


def day_backpack() -> Studio:
    studio = Studio("#f0e2d8", "#d8bfae")
    studio.shadow((308, 524), (146, 18))
    studio.line(curve([(262, 124), (268, 84), (300, 72), (332, 84), (338, 124)], closed=False),
        "#54301f", 12)
    body = curve([(196, 176), (232, 122), (300, 110), (368, 122), (404, 176), (420, 300), (424, 440),
        (408, 512), (300, 522), (192, 512), (176, 440), (180, 300)] )
    studio.cut(body, "#c76a3f", "#93441f")
    studio.shade([(372, 100), (450, 100), (450, 540), (392, 540)], 0.5, 26, body)
    studio.shine(curve([(206, 190), (240, 146), (276, 134), (244, 230), (222, 330), (200, 330)]), 0.24, 14)
    pocket = curve([(212, 350), (300, 342), (388, 350), (396, 430), (384, 490), (300, 498), (216, 490),
        (204, 430)] )
    studio.shade([(x + 4, y + 8) for x, y in pocket], 0.5, 8, body)
    studio.cut(pocket, "#d07a4c", "#9c4b25")
    studio.stitches(curve([(222, 364), (300, 357), (378, 364)], closed=False), "#f2d4b0")
    flap = curve([(190, 214), (300, 204), (410, 214), (414, 262), (374, 300), (300, 308), (226, 300),
        (186, 262)] )
    studio.shade([(x + 3, y + 9) for x, y in flap], 0.5, 8, body)
    studio.cut(flap, "#7a4327", "#5a2f1a")
    for x in (246, 354):
        studio.cut([(x - 9, 280), (x + 9, 280), (x + 9, 372), (x - 9, 372)], "#5d321c", "#41210f")
        studio.cut([(x - 13, 326), (x + 13, 326), (x + 13, 348), (x - 13, 348)], "#d9b25f", "#a47d2f")
    return studio


PRODUCT_PICTURES: dict[str, Callable[[], Studio]] = {
    "vase-tall": tall_vase,
    "vase-moon": moon_vase,
    "bowl-ramen": ramen_bowl,
    "mug-morning": morning_mug,
    "teapot": teapot,
    "lamp-table": table_lamp,
    "lamp-pendant": pendant_lamp,
    "lamp-floor": floor_lamp,
    "chair-shell": shell_chair,
    "stool-oak": oak_stool,
    "bag-tote": canvas_tote,
    "bag-day": day_backpack,
}
