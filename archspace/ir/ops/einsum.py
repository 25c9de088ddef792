"""Einsum: sums of products by named axes, counted as torch computes them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from archspace.ir.ops.base import Counts, LawError, Op, Shape, prod

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Einsum(Op):
    """torch.einsum of one to three tensors: 'bhld,bhsd->bhls'; '...' stands for leading axes that broadcast.

    madds: tensors join from left to right. Two that share axes to be summed are a matrix product, which multiplies and adds once per
    combination of all their axes; axes of one alone are summed before, and without a shared sum the tensors are only multiplied: 0.
    """

    equation: str

    def out_shape(self, *shapes: Shape) -> Shape:
        terms, out = parse_equation(self.equation, shapes)
        sizes = axis_sizes(self.equation, terms, shapes)
        return tuple([sizes[label] for label in out])

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        madds, n_in, n_out = einsum_madds(self.equation, shapes), sum([prod(shape) for shape in shapes]), prod(out)
        multiplied = len(shapes) > 1 and not madds
        return Counts(
            madds=madds,
            acts=n_out if madds else 0,
            in_elems=n_in,
            out_elems=n_out,
            elementwise_elems=n_in + n_out if multiplied else 0,
        )


def einsum_madds(equation: str, shapes: tuple[Shape, ...]) -> int:
    """The multiply-adds of an einsum whose tensors join from left to right (at::einsum without a path, torch 2.13)."""
    terms, out = parse_equation(equation, shapes)
    tensors = [
        {label: size for label, size in zip(term, shape, strict=True) if size > 1} for term, shape in zip(terms, shapes, strict=True)
    ]
    last = {label: i for i, term in enumerate(terms) for label in term}
    madds, joined = 0, tensors[0]
    for i, tensor in enumerate(tensors[1:], start=1):
        done = {label for label in {*joined, *tensor} if last[label] <= i and label not in out}
        summed = [label for label in done if label in joined and label in tensor]
        both = {label: size for label, size in {**joined, **tensor}.items() if label not in done or label in summed}
        if summed:
            madds += prod(both.values())
        joined = {label: size for label, size in both.items() if label not in summed}
    return madds


def parse_equation(equation: str, shapes: tuple[Shape, ...]) -> tuple[tuple[Labels, ...], Labels]:
    """The axes of each tensor and of the output, by label; those under '...' are numbered from the last."""
    text = equation.replace(" ", "")
    source, arrow, target = text.partition("->")
    words = source.split(",")
    if not 1 <= len(shapes) <= 3 or len(words) != len(shapes):
        raise LawError(
            f"Einsum: the equation must name one to three inputs, as many as there are, but got {equation!r}, {len(shapes)} inputs"
        )
    if not all(re.fullmatch(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*", word) for word in (*words, target)):
        raise LawError(f"Einsum: the equation must be letters and '...' like 'bij,bjk->bik', but got {equation!r}")
    covered = [len(shape) - len(word.replace("...", "")) for word, shape in zip(words, shapes, strict=True)]
    if any(left < 0 or (left and "..." not in word) for left, word in zip(covered, words, strict=True)):
        raise LawError(
            f"Einsum: the equation must name all axes of its inputs, but got {equation!r}, inputs {' and '.join(map(str, shapes))}"
        )
    terms = tuple([_labels(word, left) for word, left in zip(words, covered, strict=True)])
    if not arrow:  # torch's implicit output: the covered axes, then the letters that appear once, in order
        seen = Counter("".join(words).replace(".", ""))
        target = "..." + "".join(sorted(letter for letter, times in seen.items() if times == 1))
    out = _labels(target, max(covered))
    known = {label for term in terms for label in term}
    if len(set(out)) != len(out) or not known.issuperset(out):
        raise LawError(f"Einsum: the output must name axes of the inputs, each once, but got {equation!r}")
    return terms, out


def _labels(word: str, covered: int) -> Labels:
    before, dots, after = word.partition("...")
    return (*before, *([f".{i}" for i in range(covered, 0, -1)] if dots else ()), *after)


def axis_sizes(equation: str, terms: tuple[Labels, ...], shapes: tuple[Shape, ...]) -> dict[str, int]:
    """How long each labelled axis is; an axis of one element broadcasts."""
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for label, size in zip(term, shape, strict=True):
            if sizes.get(label, 1) not in (1, size) and size != 1:
                raise LawError(
                    f"Einsum: axes of one letter must be equally long, but got {equation!r}, inputs {' and '.join(map(str, shapes))}"
                )
            sizes[label] = max(size, sizes.get(label, 1))
    return sizes
