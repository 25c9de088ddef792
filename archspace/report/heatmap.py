"""Heat maps: a matrix of numbers from 0 to 1 with names and texts, and the colours that stand for them; drawn as a page or a picture."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from archspace.errors import LawError

Color = tuple[int, int, int]

# After ColorBrewer's YlGnBu, from paper-white up: even steps in lightness, which colour-blind readers and grey printers tell apart.
SCALE: tuple[tuple[float, Color], ...] = (
    (0.0, (250, 250, 247)),
    (0.125, (214, 238, 200)),
    (0.25, (168, 221, 190)),
    (0.5, (98, 190, 200)),
    (0.75, (34, 94, 168)),
    (1.0, (8, 29, 88)),
)
MOST_NUMBERED = 32  # rows or columns: with more, a cell has no room for its text
LARGEST_SIDE = 3000  # rows or columns: more than a screen has pixels


@dataclass(frozen=True, slots=True)
class HeatMap:
    """What is drawn: a row per name in `rows`, a column per name in `columns`; a value of None leaves its cell empty.

    `texts` stand in the cells, where there is room; `hover` is what a page shows of a cell. Raises LawError for a value outside [0, 1], for
    matrices of another size than the names, and for none or more than 3000 of these.
    """

    title: str
    subtitle: str
    row_axis: str
    column_axis: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    texts: tuple[tuple[str, ...], ...]
    hover: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        height, width = len(self.rows), len(self.columns)
        if not (1 <= height <= LARGEST_SIDE and 1 <= width <= LARGEST_SIDE):
            raise LawError(f"a heat map must have 1 to {LARGEST_SIDE} rows and columns, but got {height} by {width}")
        for matrix in (self.values, self.texts, self.hover):
            if len(matrix) != height or any(len(row) != width for row in matrix):
                raise LawError(f"a heat map must have {height} by {width} values, texts and hover texts, but one of them has another size")
        for row in self.values:
            for value in row:
                if value is not None and not 0 <= value <= 1:
                    raise LawError(f"a heat map shows numbers from 0 to 1, but got {value!r}. Normalise them first.")

    @property
    def numbered(self) -> bool:
        """Whether the cells have room for their texts."""
        return max(len(self.rows), len(self.columns)) <= MOST_NUMBERED


def color_of(value: float) -> Color:
    """The colour of a number in [0, 1], mixed from the two nearest steps of the scale. Raises LawError outside.

    >>> color_of(0.0), color_of(0.375), color_of(1.0)
    ((250, 250, 247), (133, 206, 195), (8, 29, 88))
    """
    if not 0 <= value <= 1:
        raise LawError(f"a colour stands for a number from 0 to 1, but got {value!r}")
    (low, below), (high, above) = next((a, b) for a, b in pairwise(SCALE) if value <= b[0])
    part = (value - low) / (high - low)
    red, green, blue = (round(x + (y - x) * part) for x, y in zip(below, above, strict=True))
    return red, green, blue


def ticks(names: int, most: int) -> range:
    """Which of so many names are shown where there is room for `most`: evenly spaced, the first among them.

    >>> list(ticks(5, 9)), list(ticks(10, 4))
    ([0, 1, 2, 3, 4], [0, 3, 6, 9])
    """
    return range(0, names, -(-names // most))
