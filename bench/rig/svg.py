"""Plots as SVG, written by hand: bars with their range, and lines."""

import math
from html import escape

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 860, 90, 230, 60, 70
COLOURS = ["#1b6ca8", "#d1495b", "#2e933c", "#8d5fa8", "#e08e2b", "#2a9d9d", "#6b4f3a", "#444444", "#b33f8f"]


class Drawing:
    def __init__(self, height, title, caption):
        self.height = height
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12" fill="#222222">',
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        ]
        self.text(LEFT, 24, title, size=16)
        self.text(LEFT, 42, caption, colour="#666666")

    def text(self, x, y, words, size=12, anchor="start", colour="#222222", turned=False):
        turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
                          f'fill="{colour}"{turn}>{escape(words)}</text>')

    def line(self, points, colour, width=1.0, dashes=""):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" '
                          f'stroke-dasharray="{dashes}"/>')

    def box(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>')

    def dot(self, x, y, colour):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')

    def done(self):
        return "\n".join([*self.parts, "</svg>", ""])


def _ticks(most):
    """Round numbers from 0 until `most` is covered."""
    rough = max(most, 1e-9) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    return [step * count for count in range(math.ceil(most / step - 1e-9) + 1)]


def bars(title, caption, unit, rows):
    """`rows`: (name, median, least, most), drawn from left to right."""
    left, right, row_height = 290, 70, 30
    drawing = Drawing(TOP + row_height * len(rows) + BOTTOM, title, caption)
    ticks = _ticks(max(most for _, _, _, most in rows))
    bottom = TOP + row_height * len(rows)

    def across(value):
        return left + (WIDTH - left - right) * value / ticks[-1]

    for tick in ticks:
        drawing.line([(across(tick), TOP), (across(tick), bottom)], "#dddddd")
        drawing.text(across(tick), bottom + 18, f"{tick:g}", anchor="middle")
    for number, (name, median, least, most) in enumerate(rows):
        middle = TOP + row_height * (number + 0.5)
        drawing.text(left - 8, middle + 4, name, anchor="end")
        drawing.box(left, middle - 9, across(median) - left, 18, COLOURS[0] if number else "#999999")
        drawing.line([(across(least), middle), (across(most), middle)], "#222222", 1.5)
        drawing.text(across(most) + 6, middle + 4, f"{median:.3g}")
    drawing.text((left + WIDTH - right) / 2, bottom + 42, unit, anchor="middle")
    return drawing.done()


def lines(title, caption, x_unit, y_unit, series, evenly=False):
    """`series`: name -> [(x, y)]. `evenly` puts the values of x at equal distances."""
    drawing = Drawing(460, title, caption)
    bottom, end = drawing.height - BOTTOM, WIDTH - RIGHT
    ticks = _ticks(max(y for points in series.values() for _, y in points))
    values = sorted({x for points in series.values() for x, _ in points})
    x_ticks = values if evenly else [tick for tick in _ticks(values[-1]) if tick <= values[-1]]

    def across(x):
        share = values.index(x) / max(1, len(values) - 1) if evenly else x / values[-1]
        return LEFT + (end - LEFT) * share

    def down(y):
        return bottom - (bottom - TOP) * y / ticks[-1]

    for tick in ticks:
        drawing.line([(LEFT, down(tick)), (end, down(tick))], "#dddddd")
        drawing.text(LEFT - 8, down(tick) + 4, f"{tick:,g}", anchor="end")
    for tick in x_ticks:
        drawing.line([(across(tick), bottom), (across(tick), bottom + 5)], "#222222")
        drawing.text(across(tick), bottom + 20, f"{tick:,g}", anchor="middle")
    drawing.line([(LEFT, TOP), (LEFT, bottom), (end, bottom)], "#222222")
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        placed = [(across(x), down(y)) for x, y in points]
        drawing.line(placed, colour, 2)
        for place in placed:
            drawing.dot(*place, colour)
        drawing.line([(end + 14, TOP + 20 * number), (end + 34, TOP + 20 * number)], colour, 3)
        drawing.text(end + 40, TOP + 20 * number + 4, name)
    drawing.text((LEFT + end) / 2, bottom + 48, x_unit, anchor="middle")
    drawing.text(24, (TOP + bottom) / 2, y_unit, anchor="middle", turned=True)
    return drawing.done()
