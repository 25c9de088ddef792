"""Wasted against published milliseconds as SVG: a row of panels per device, a panel per level, a letter pair per network."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT, GAP = 250, 210, 50
LETTERS = {
    "shufflenet_v1": "S1",
    "shufflenet_v2": "S2",
    "mobilenet_v1": "M1",
    "mobilenet_v2": "M2",
    "densenet_light": "De",
    "xception_light": "Xc",
    "igcv2": "I2",
    "igcv3_d": "I3",
    "nasnet_a": "NA",
    "pnasnet_5": "PN",
}
Point = tuple[str, str, str, float, float]  # device, level, family, wasted ms, published ms


def draw(points: Sequence[Point]) -> str:
    """The whole picture. Axes start at 0 and end at the panel's largest values."""
    devices, levels = (list(dict.fromkeys(point[k] for point in points)) for k in (0, 1))
    width, height = GAP + len(levels) * (WIDTH + GAP), len(devices) * (HEIGHT + 2 * GAP) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11" fill="#222">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for row, device in enumerate(devices):
        for column, level in enumerate(levels):
            inside = [point for point in points if point[:2] == (device, level)]
            title = f"{device}, about {level} M multiply-adds"
            parts += _panel(GAP + column * (WIDTH + GAP), GAP + row * (HEIGHT + 2 * GAP), title, inside)
    key = ", ".join(f"{letters} {family}" for family, letters in LETTERS.items())
    return "\n".join([*parts, f'<text x="{GAP}" y="{height - 8}">{key}</text>', "</svg>\n"])


def _panel(left: int, top: int, title: str, points: Sequence[Point]) -> list[str]:
    bottom = top + HEIGHT
    right_ms = max(wasted for *_, wasted, _ in points) or 1.0
    high_ms = max(published for *_, published in points)
    marks = [
        f'<text x="{left + WIDTH * 0.92 * wasted / right_ms + 3:.1f}" y="{bottom - HEIGHT * 0.95 * published / high_ms + 4:.1f}"'
        f' fill="#1f5fa8" font-weight="bold">{LETTERS[family]}</text>'
        for _, _, family, wasted, published in points
    ]
    return [
        f'<path d="M{left} {top}V{bottom}H{left + WIDTH}" fill="none" stroke="#888"/>',
        f'<text x="{left}" y="{top - 8}" font-weight="bold">{title}</text>',
        f'<text x="{left - 4}" y="{top + HEIGHT * 0.05 + 4:.0f}" text-anchor="end">{high_ms:.3g}</text>',
        f'<text x="{left - 4}" y="{bottom}" text-anchor="end">0</text>',
        f'<text x="{left + WIDTH * 0.92:.0f}" y="{bottom + 14}" text-anchor="middle">{right_ms:.3g}</text>',
        f'<text x="{left + WIDTH / 2:.0f}" y="{bottom + 14}" text-anchor="middle">wasted ms (up: published ms)</text>',
        *marks,
    ]
