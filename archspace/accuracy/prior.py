"""The prior: the ImageNet top-1 error that published results of other networks suggest for a network that nobody has trained."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sinh

from archspace.accuracy.features import NAMES, Reading, read
from archspace.accuracy.model import REFERENCE, Band, Model, shipped
from archspace.ir.counts import Counts
from archspace.ir.graph import Graph, require_graph
from archspace.units import format_count, format_share

BAND_GMADDS = (0.35, 0.6)  # the band that is quoted wherever a prior is shown
EXAMPLE_PCT = 30.0
SLACK = 0.05  # of a range's width: how far shares and what is said per layer may be out of it, unsaid
READ_SHARE = 0.98  # multiply-adds that must be in convolutions and linears

BASELINE_WORDS = {"params": "params", "acts": "activations", "madds": "multiply-adds"}

# What a feature is called and how it is written where it is out of range; the others under their own names.
WORDS = {
    "log_madds": "multiply-adds",
    "log_body_params": "parameters without the classifier's",
    "log_acts": "activations",
    "log_depth": "convolutions on the longest path",
    "log_last_channels": "channels of the last map",
    "log_last_width": "channels of the last kernel above 1x1",
    "log_input_side": "pixels along the input's side",
    "log_field": "receptive field over the input's side",
    "log_depthwise_kernel": "depthwise kernel",
}


@dataclass(frozen=True, slots=True)
class Prior:
    """Top-1 error in percent with its 80 % interval, of a network as trained by the reference recipe or another that was named.

    `extrapolates` says in what the network lies outside of those of the fit; where it does, the interval is not known to hold.
    """

    error_pct: float
    low_pct: float
    high_pct: float
    extrapolates: tuple[str, ...]

    @property
    def half_width_pct(self) -> float:
        """Half of the interval, in points."""
        return (self.high_pct - self.low_pct) / 2


def prior(graph: Graph, counts: Counts | None = None, *, recipe: str = REFERENCE) -> Prior:
    """The error that published results suggest for a graph: a prior, not a measurement.

    `counts` are its total counts, where they are there already. `recipe` is a name of `archspace.accuracy.recipes()`. Raises LawError for
    what is no convolutional network on images, UnknownNameError for a recipe that no table knows.
    """
    require_graph("prior", graph)
    model = shipped()
    reading = read(graph, _total(graph) if counts is None else counts)
    log_excess = model.log_excess(reading.values) + model.recipe(recipe)
    width = model.half_width_log
    low, middle, high = (model.error_pct(log_excess + step) for step in (-width, 0.0, width))
    return Prior(middle, low, high, _outside(graph, reading, model))


def prior_error_pct(graph: Graph, counts: Counts) -> float:
    """The error alone, at the reference recipe: what a search asks of each candidate. Raises LawError as `prior` does."""
    model = shipped()
    return model.error_pct(model.log_excess(read(graph, counts).values))


def recipes() -> dict[str, str]:
    """The training recipes that a prior can be given for, and what each stands for."""
    return dict(shipped().recipe_texts)


def quality_text(prior: Prior | None = None) -> str:
    """One line that goes with every prior that is shown: its interval, and how well it ranks families that no fit has seen.

    Without a prior, the interval is that at an error of 30 %.
    """
    half = f"±{prior.half_width_pct if prior else _half_width_pct(EXAMPLE_PCT):.1f} points{'' if prior else f' at {EXAMPLE_PCT:g} %'}"
    band = quoted_band()
    beside = ", ".join(f"{BASELINE_WORDS[name]} {_two(value)}" for name, value in band.baselines.items())
    known = f"{_two(band.spearman)} with training recipes known ({beside})"
    alone = f"{_two(band.alone['prior'])} without (params {_two(band.alone['params'])})"
    where = f"on {band.rows} networks of {band.text}, families left out"
    return f"prior, not a measurement: {half} (80 % interval); {where}, Spearman {known}, {alone}"


def quoted_band() -> Band:
    """The band that `quality_text` quotes."""
    return next(band for band in shipped().held_out.bands if (band.low_gmadds, band.high_gmadds) == BAND_GMADDS)


def _half_width_pct(error_pct: float) -> float:
    """Half of the interval around an error, in points."""
    model = shipped()
    return (error_pct - model.floor_pct) * sinh(model.half_width_log)


def _two(value: float) -> str:
    """A correlation as papers print it: .97, -.12."""
    return f"{value:.2f}".replace("0.", ".", 1)


def _total(graph: Graph) -> Counts:
    return Counts.total([graph.counts(node) for node in graph.nodes])


def _outside(graph: Graph, reading: Reading, model: Model) -> tuple[str, ...]:
    """In what a network lies outside of those of the fit."""
    found = []
    values = reading.values
    for name, value, (low, high) in zip(NAMES, values, model.ranges, strict=True):
        slack = 0.0 if name.startswith("log_") else SLACK * (high - low)
        if not low - slack <= value <= high + slack:
            found.append(f"{WORDS.get(name, name)}: {_shown(name, value)}, fitted on {_shown(name, low)} to {_shown(name, high)}")
    distance = model.distance_of(values) / model.usual_distance
    if distance > 1:
        found.append(f"all in all it is unlike the networks of the fit: {distance:.2g} times as far off as 19 in 20 of them")
    if reading.classes != model.classes:
        found.append(f"classes: {reading.classes}, fitted on ImageNet's {model.classes}")
    unknown = sorted({type(node.op).__name__ for node in graph.nodes} - model.op_kinds)
    if unknown:
        found.append(f"ops that no network of the fit has: {', '.join(unknown)}")
    if reading.read_share < READ_SHARE:
        found.append(f"{format_share(1 - reading.read_share)} of the multiply-adds are in neither convolutions nor linears")
    return tuple(found)


def _shown(name: str, value: float) -> str:
    if not name.startswith("log_"):
        return f"{value:.2g}"
    return f"{exp(value):.2f}" if name == "log_field" else format_count(exp(value))
