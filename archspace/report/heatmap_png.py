"""A heat map as a PNG, drawn by Pillow: for papers and READMEs, without a browser."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from archspace.errors import FileError
from archspace.files import check_writable
from archspace.report.heatmap import Color, HeatMap, color_of, ticks

PAPER, INK, FAINT = (255, 255, 255), (38, 44, 54), (120, 128, 140)
MATRIX_PIXELS = 1600  # the side of a matrix whose cells need not be larger or smaller
CELL_PIXELS = (1, 72)  # least and most
NAME_SIZE, TITLE_SIZE, LINE, GAP = 22, 34, 30, 24  # pixels; a picture is made to be shown at half its size
BAR_WIDTH, BAR_STEPS = 26, 200

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def write_heatmap(heatmap: HeatMap, path: str | Path, *, force: bool = False) -> None:
    """Write the picture. Raises FileError when the file exists (without `force`) or cannot be written."""
    target = check_writable(path, force=force)
    buffer = BytesIO()
    heatmap_image(heatmap).save(buffer, format="PNG", optimize=True)
    try:
        target.write_bytes(buffer.getvalue())
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from None


def heatmap_image(heatmap: HeatMap) -> Image.Image:
    """The map with its first row on top, names on the left and below, and a colour bar on the right."""
    least, most = CELL_PIXELS
    cell = max(least, min(most, MATRIX_PIXELS // max(len(heatmap.rows), len(heatmap.columns))))
    names, title = ImageFont.load_default(NAME_SIZE), ImageFont.load_default(TITLE_SIZE)
    width, height = cell * len(heatmap.columns), cell * len(heatmap.rows)
    left = GAP + LINE + round(_longest(heatmap.rows, names)) + GAP // 2
    top = GAP + TITLE_SIZE + LINE + 2 * GAP
    below = GAP // 2 + round(_longest(heatmap.columns, names)) + LINE + GAP
    head = max(title.getlength(heatmap.title), names.getlength(heatmap.subtitle))
    right = 3 * GAP + BAR_WIDTH + round(names.getlength("100 %"))
    size = (max(left + width + right, round(head) + 2 * GAP), top + height + below + GAP)
    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((GAP, GAP), heatmap.title, INK, title)
    draw.text((GAP, GAP + TITLE_SIZE + GAP // 2), heatmap.subtitle, FAINT, names)
    _draw_cells(draw, heatmap, (left, top), cell)
    for i in ticks(len(heatmap.rows), max(1, height // LINE)):
        draw.text((left - GAP // 2, top + cell * i + cell / 2), heatmap.rows[i], INK, names, anchor="rm")
    for i in ticks(len(heatmap.columns), max(1, width // LINE)):
        word = _upright(heatmap.columns[i], names, INK)
        image.paste(word, (left + cell * i + (cell - word.width) // 2, top + height + GAP // 2))
    draw.text((left + width / 2, size[1] - GAP), heatmap.column_axis, FAINT, names, anchor="mb")
    word = _upright(heatmap.row_axis, names, FAINT)
    image.paste(word, (GAP // 2, max(0, top + (height - word.height) // 2)))
    _draw_bar(draw, (left + width + GAP, top), max(height, 4 * LINE), names)
    return image


def _draw_cells(draw: ImageDraw.ImageDraw, heatmap: HeatMap, corner: tuple[int, int], cell: int) -> None:
    left, top = corner
    gap = 2 if heatmap.numbered else 0
    font = ImageFont.load_default(min(NAME_SIZE, cell // 3)) if heatmap.numbered else None
    for i, (values, texts) in enumerate(zip(heatmap.values, heatmap.texts, strict=True)):
        for j, (value, text) in enumerate(zip(values, texts, strict=True)):
            if value is None:
                continue
            x, y = left + cell * j, top + cell * i
            color = color_of(value)
            draw.rectangle((x, y, x + cell - 1 - gap, y + cell - 1 - gap), color)
            if font is not None:
                draw.text((x + (cell - gap) / 2, y + (cell - gap) / 2), text, _on(color), font, anchor="mm")


def _draw_bar(draw: ImageDraw.ImageDraw, corner: tuple[int, int], height: int, font: Font) -> None:
    """The scale from 0 % at the bottom to 100 % at the top."""
    left, top = corner
    for step in range(BAR_STEPS):
        y = top + height * step / BAR_STEPS
        draw.rectangle((left, y, left + BAR_WIDTH, y + height / BAR_STEPS), color_of(1 - step / (BAR_STEPS - 1)))
    for share in (0, 50, 100):
        draw.text((left + BAR_WIDTH + GAP // 2, top + height * (1 - share / 100)), f"{share} %", INK, font, anchor="lm")


def _longest(names: Sequence[str], font: Font) -> float:
    return max(font.getlength(name) for name in names)


def _upright(text: str, font: Font, color: Color) -> Image.Image:
    """The text from bottom to top."""
    image = Image.new("RGB", (max(1, round(font.getlength(text))), LINE), PAPER)
    ImageDraw.Draw(image).text((0, LINE / 2), text, color, font, anchor="lm")
    return image.transpose(Image.Transpose.ROTATE_90)


def _on(color: Color) -> Color:
    """Ink that can be read on a colour: its luma (ITU-R BT.601) decides."""
    red, green, blue = color
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else PAPER
