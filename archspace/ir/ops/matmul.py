"""Products of two tensors that the network computes: matrix product and scaled dot-product attention."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.ir.ops.base import Counts, LawError, Op, Shape, broadcast, prod


@dataclass(frozen=True, slots=True)
class MatMul(Op):
    """a b over the last two axes. a: (..., m, k), b: (..., k, n) -> y: (..., m, n), leading axes broadcast. madds = elements of y * k."""

    def out_shape(self, *shapes: Shape) -> Shape:
        if len(shapes) != 2:
            raise LawError(f"MatMul takes two inputs, but got {len(shapes)}")
        a, b = shapes
        if len(a) < 2 or len(b) < 2 or a[-1] != b[-2]:
            raise LawError(f"MatMul: the inputs must be (..., m, k) and (..., k, n), but got {a} and {b}")
        return (*broadcast(self, (a[:-2], b[:-2])), a[-2], b[-1])

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n_out = prod(out)
        return Counts(madds=n_out * shapes[0][-1], acts=n_out, in_elems=prod(shapes[0]) + prod(shapes[1]), out_elems=n_out)


@dataclass(frozen=True, slots=True)
class ScaledDotProductAttention(Op):
    """softmax(q k^T / sqrt(e)) v (Vaswani et al., NeurIPS 2017, equation 1). q: (..., l, e), k: (..., s, e), v: (..., s, ev)[, mask].

    -> y: (..., l, ev). madds = heads and batch * l * s * (e + ev); a causal mask changes nothing in that, as in torch's flop counter.
    With `enable_gqa`, axis -3 of q is a multiple of that of k and v, whose heads serve several of q's. The scores stay inside the kernel:
    memory access is q, k, v, mask and y, each once.
    """

    is_causal: bool = False
    enable_gqa: bool = False

    def out_shape(self, *shapes: Shape) -> Shape:
        if len(shapes) not in (3, 4):
            raise LawError(f"ScaledDotProductAttention takes q, k, v and perhaps a mask, but got {len(shapes)} inputs")
        q, k, v = shapes[:3]
        met = f"but got q {q}, k {k}, v {v}"
        if min(len(q), len(k), len(v)) < 2 or q[-1] != k[-1] or k[-2] != v[-2]:
            raise LawError(f"ScaledDotProductAttention: q, k, v must be (..., l, e), (..., s, e), (..., s, ev), {met}")
        lead = q[:-2], k[:-2], v[:-2]
        if self.enable_gqa:
            if min(map(len, lead)) < 1 or lead[1][-1] != lead[2][-1] or lead[0][-1] % lead[1][-1]:
                raise LawError(f"ScaledDotProductAttention: the heads of q must be a multiple of those of k and v, {met}")
            lead = q[:-2], (*k[:-3], q[-3]), (*v[:-3], q[-3])
        out = (*broadcast(self, lead), q[-2], v[-1])
        if len(shapes) == 4:
            scores = (*out[:-1], k[-2])
            if broadcast(self, (scores, shapes[3])) != scores:
                raise LawError(f"ScaledDotProductAttention: the mask must broadcast to the scores, {scores}, but got {shapes[3]}")
        return out

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        n_out, (s, e) = prod(out), shapes[1][-2:]
        return Counts(
            madds=prod(out[:-1]) * s * (e + out[-1]),
            acts=n_out,
            in_elems=sum([prod(shape) for shape in shapes]),
            out_elems=n_out,
        )
