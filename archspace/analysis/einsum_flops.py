"""What fvcore calls the flops of an einsum: half of numpy's estimate for the best order of contraction, read from its printed report."""

from __future__ import annotations

from itertools import combinations
from math import prod

from archspace.ir.ops import Shape
from archspace.ir.ops.einsum import axis_sizes, parse_equation

Terms = list[frozenset[str]]

# Equations that fvcore counts itself, as multiply-adds, with their letters in order of appearance.
EXACT = ("abc,abd->acd", "abc,adc->adb")


def fvcore_einsum(equation: str, shapes: tuple[Shape, ...]) -> int:
    """fvcore.nn.jit_handles.einsum_flop_jit (0.1.5) over numpy.einsum_path(..., optimize="optimal"), which prints four digits."""
    terms, out = parse_equation(equation, shapes)
    sizes = axis_sizes(equation, terms, shapes)
    if _renamed(equation) in EXACT:
        return prod(sizes.values())
    report = f"{_least(list(map(frozenset, terms)), frozenset(out), sizes) + 1:.3e}"
    return int(float(report) // 2)


def _renamed(equation: str) -> str:
    text = equation.replace(" ", "")
    letters = dict.fromkeys(letter for letter in text if letter.isalpha())
    return text.translate({ord(letter): 97 + i for i, letter in enumerate(letters)})


def _least(terms: Terms, out: frozenset[str], sizes: dict[str, int]) -> int:
    """numpy's cost of one to three terms: all at once, or three pair by pair with no product larger than the largest tensor."""
    together = _cost(terms, out, sizes)
    if len(terms) < 3 or frozenset().union(*terms) == out:
        return together
    most = max(_size(term, sizes) for term in (*terms, out))
    found = []
    for pair in combinations(range(3), 2):
        (other,) = [term for i, term in enumerate(terms) if i not in pair]
        both = [terms[i] for i in pair]
        product = frozenset().union(*both) & (out | other)
        if _size(product, sizes) <= most:
            found.append(_cost(both, product, sizes) + _cost([other, product], out, sizes))
    return min(found, default=together)


def _cost(terms: Terms, result: frozenset[str], sizes: dict[str, int]) -> int:
    """A multiplication for every further term, and an addition where axes are summed, per combination of all axes."""
    axes = frozenset().union(*terms)
    return _size(axes, sizes) * (max(1, len(terms) - 1) + (1 if axes - result else 0))


def _size(axes: frozenset[str], sizes: dict[str, int]) -> int:
    return prod(sizes[axis] for axis in axes)
