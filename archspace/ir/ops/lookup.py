"""Elements picked by number: from a learned table, or from a tensor."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.ir.ops.base import Counts, LawError, Op, Shape, positive, prod, single


@dataclass(frozen=True, slots=True)
class Embedding(Op):
    """A learned row for each number. ids: (...) -> y: (..., embedding_dim). It reads the rows asked for, not the whole table."""

    num_embeddings: int
    embedding_dim: int

    def out_shape(self, *shapes: Shape) -> Shape:
        positive(self, num_embeddings=self.num_embeddings, embedding_dim=self.embedding_dim)
        return (*single(self, shapes), self.embedding_dim)

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n_out = prod(out)
        n_in = prod(shapes[0]) + n_out  # the rows are as many as the numbers: they grow with the batch, as weights do not
        return Counts(params=self.num_embeddings * self.embedding_dim, in_elems=n_in, out_elems=n_out, movement_elems=n_in + n_out)


@dataclass(frozen=True, slots=True)
class Index(Op):
    """Elements of x that indices pick, in the known `shape`. Inputs are x and what indices the network computes."""

    shape: tuple[int, ...]

    def out_shape(self, *shapes: Shape) -> Shape:
        if not shapes:
            raise LawError("Index takes at least one input, but got none")
        positive(self, size=min(self.shape, default=1))
        return self.shape

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n = prod(out)
        return Counts(in_elems=n, out_elems=n, movement_elems=2 * n)
