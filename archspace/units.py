"""Quantities as people write them: the one place where K, M, G, ms and image sizes are read and printed."""

from __future__ import annotations

import re

from archspace.errors import LawError

_FACTORS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
_COUNT = re.compile(r"([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*([kmgt]?)", re.IGNORECASE)
_SIDE = re.compile(r"0*[1-9][0-9]{0,5}")
LARGEST = 1e18  # far above any network, far below where floats overflow
_TIME_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "": 1.0}
_TIME = re.compile(r"([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*(us|ms|s|)", re.IGNORECASE)


def parse_count(text: str) -> int:
    """'140M' -> 140000000. Suffixes K, M, G, T (powers of 1000); raises LawError on anything else.

    >>> parse_count("1.4G"), parse_count("38m"), parse_count("250")
    (1400000000, 38000000, 250)
    """
    match = _COUNT.fullmatch(text.strip())
    if match is None:
        raise LawError(f"a count is a positive number with an optional K, M, G or T, but got {_short(text)}. Example: 140M")
    value = float(match[1]) * _FACTORS[match[2].lower()]
    if not 0.5 < value <= LARGEST:  # round(0.5) is 0
        raise LawError(f"a count must be from 1 to {LARGEST:g}, but got {_short(text)}. Example: 140M")
    return round(value)


def parse_ms(text: str) -> float:
    """'30ms' -> 30.0, '1.2s' -> 1200.0; a bare number is in ms; raises LawError on anything else.

    >>> parse_ms("30ms"), parse_ms("1.5s"), parse_ms("250us"), parse_ms("7")
    (30.0, 1500.0, 0.25, 7.0)
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise LawError(f"a time is a positive number with an optional us, ms or s, but got {_short(text)}. Example: 30ms")
    value = float(match[1]) * _TIME_MS[match[2].lower()]
    if not 0 < value <= LARGEST:
        raise LawError(f"a time must be above zero and at most {LARGEST:g} ms, but got {_short(text)}. Example: 30ms")
    return value


def parse_number(text: str) -> float:
    """'76.5' -> 76.5, '140M' -> 140000000.0, '-2' -> -2.0; raises LawError on anything else.

    >>> parse_number("76.5"), parse_number("2M"), parse_number("-2"), parse_number("0")
    (76.5, 2000000.0, -2.0, 0.0)
    """
    word = text.strip()
    match = _COUNT.fullmatch(word.removeprefix("-"))
    value = float(match[1]) * _FACTORS[match[2].lower()] if match else LARGEST * 2
    if value > LARGEST:
        raise LawError(f"a value is a number with an optional K, M, G or T, but got {_short(text)}. Examples: 140M, 76.5")
    return -value if word.startswith("-") else value


def parse_size(text: str) -> tuple[int, int]:
    """An image size in pixels, height first: '224' -> (224, 224), '480x640' -> (480, 640); raises LawError.

    >>> parse_size("224"), parse_size("480x640")
    ((224, 224), (480, 640))
    """
    parts = text.lower().split("x")
    if not 1 <= len(parts) <= 2 or not all(_SIDE.fullmatch(part) for part in parts):
        raise LawError(f"an input size is SIDE or HEIGHTxWIDTH in pixels, but got {_short(text)}. Examples: 224, 480x640")
    return int(parts[0]), int(parts[-1])


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def format_count(value: float) -> str:
    """A count for people, four significant digits: 136500672 -> '136.5M'.

    >>> format_count(136500672), format_count(1.867e6), format_count(954), format_count(4.089e9)
    ('136.5M', '1.867M', '954', '4.089G')
    """
    for suffix, factor in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if abs(value) >= factor:
            return f"{value / factor:.4g}{suffix}"
    return f"{value:.4g}"


def format_bytes(value: float) -> str:
    """Bytes for people, powers of 1000: 74000000 -> '74 MB'."""
    text = format_count(value)
    number, suffix = (text[:-1], text[-1]) if text[-1].isalpha() else (text, "")
    return f"{number} {suffix}B"


def format_share(value: float) -> str:
    """A share for people: 0.3456 -> '34.6 %'."""
    return f"{100 * value:.1f} %"


def format_size(height: int, width: int) -> str:
    """An image size as `parse_size` reads it: (224, 224) -> '224', (480, 640) -> '480x640'."""
    return str(height) if height == width else f"{height}x{width}"
