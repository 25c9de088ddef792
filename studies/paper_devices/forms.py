"""Forms of the model: which of a profile's coefficients are one number, and fits of them with the shared library."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rows import Row

from archspace.analysis import DTYPE_BYTES
from archspace.latency.fit import CONSTANT, Feature, Sample, features_of, fit, leave_family_out, predicted_ms
from archspace.latency.fusion import FUSIONS, FusionRules, fused_kernels
from archspace.latency.kernel import Kernel
from archspace.latency.op_types import COARSER, DEFAULT, OP_TYPE_NAMES, priced_as
from archspace.latency.terms import TERMS, Coefficients
from archspace.latency.tiles import Tile

BYTES = ("ms_per_gb_in", "ms_per_gb_out", "ms_per_gb_weights")


ALL = tuple([name for name in OP_TYPE_NAMES if not name.endswith("_last")])  # the authors' libraries knew one order of channels


def _of(*roots: str) -> tuple[str, ...]:
    """These op types and those that are finer."""

    def root(name: str) -> str:
        return name if name in roots or not COARSER[name] else root(COARSER[name])

    return tuple([name for name in ALL if root(name) in roots])


PRODUCTS = _of("dense", "grouped", "linear")  # matrix products
Columns = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]


@dataclass(frozen=True)
class Form:
    """`columns`: what is fitted as one number -> the op types and the coefficients that it stands for."""

    columns: Columns
    whole: tuple[Feature, ...] = ()  # of the network as a whole: stacks have neither stem nor classifier, nor these
    fusion: FusionRules = FUSIONS["paper"]
    tile: Tile | None = None
    with_stacks: bool = True


# GTX 1080 Ti: 28 multiprocessors (NVIDIA's data sheet: 3584 cores, 128 each); 128x128 is the largest output tile of cuDNN 7's kernels.
GPU = Form(
    {
        "kernels": (ALL, ("us_per_kernel",)),
        "bytes": (ALL, BYTES),
        "madds in tiles": (PRODUCTS, ("ms_per_gmadd_padded",)),
        "groups": (_of("grouped"), ("us_per_group",)),
    },
    (CONSTANT,),
    tile=Tile(outputs=128, rows=128, startup_depth=64, processors=28),
)
NOT_DEPTHWISE = tuple(name for name in ALL if name != "depthwise")
ARM = Form(
    {
        "madds": (tuple(name for name in PRODUCTS if name != "dense"), ("ms_per_gmadd",)),
        "madds of kernels above 1x1": (("dense",), ("ms_per_gmadd",)),
        "bytes": (NOT_DEPTHWISE, BYTES),
        "bytes read by depthwise": (("depthwise",), ("ms_per_gb_in",)),
    },
)
FORMS = {"gtx1080ti": GPU, "sd810": ARM}


def kernels_of(row: Row, form: Form) -> tuple[Kernel, ...]:
    """The row's kernels under the form's fusion."""
    return fused_kernels(row.graph, form.fusion)


def sample(row: Row, form: Form, *, whole: bool = True) -> Sample:
    """A published time with the form's columns; without those of the network as a whole for a stack."""
    features = features_of(
        row.graph,
        fusion="paper",  # not used: the kernels are given
        batch=row.batch,
        element_bytes=DTYPE_BYTES["float32"],
        tile=form.tile,
        kernels=kernels_of(row, form),
    )
    columns: dict[Feature, float] = {feature: features[feature] for feature in form.whole if whole}
    for name, (types, terms) in form.columns.items():
        columns[name, ""] = sum(features.get((op_type, term), 0.0) for op_type in types for term in terms)
    return Sample(row.name, row.family, row.ms, columns)


def fitted(form: Form, networks: Sequence[Sample], stacks: Sequence[Sample]) -> dict[Feature, float]:
    """The form's coefficients: every published time counts once, by its relative error."""
    return fit([*networks, *stacks] if form.with_stacks else networks)


def unseen(form: Form, networks: Sequence[Sample], stacks: Sequence[Sample]) -> tuple[float, ...]:
    """Each network predicted by a fit that has seen no network of its family. The stacks belong to none."""

    def fitting(kept: Sequence[Sample]) -> Callable[[Sample], float]:
        found = fitted(form, kept, stacks)
        return lambda one: predicted_ms(one.features, found)

    return leave_family_out(networks, fitting)


def coefficients(form: Form, found: Mapping[Feature, float], digits: int = 4) -> dict[str, Coefficients]:
    """A profile's rows: "default", and op types whose price differs from what they would fall back on."""
    rows = {name: dict.fromkeys(TERMS, 0.0) for name in ALL}
    for column, (types, terms) in form.columns.items():
        for name in types:
            rows[name].update(dict.fromkeys(terms, float(f"{found[column, '']:.{digits}g}")))
    written = {DEFAULT: rows["elementwise"]}
    for name in ALL:  # coarser ones come first
        if written[priced_as(name, written)] != rows[name]:
            written[name] = rows[name]
    return {name: Coefficients(**row) for name, row in written.items()}


def without(form: Form, *names: str) -> Form:
    """The form without some of its columns; "constant" is that of the network."""
    columns = {name: column for name, column in form.columns.items() if name not in names}
    return replace(form, columns=columns, whole=() if "constant" in names else form.whole)
