"""How sparse shifts become under a training penalty. Chen et al., "All You Need is a Few Shifts" (SSL, CVPR 2019), table 1, equation 4.

The paper trains ShiftResNet-20 and -56 with four penalties on CIFAR-10 and CIFAR-100 and prints the share of channels that stay in place
(section 1: "the ratio of unshifted feature maps"). Between its points 1e-4, 4e-4 and 5e-4 the share that is shifted follows a power of
lambda here: linear in log lambda, which is what they suggest (at 20 layers on CIFAR-10 the first two give an exponent of -1.00). Lambda 0
has no logarithm and the paper nothing between 0 and 1e-4: there the sparsity is a straight line in lambda, which is a guess. Beyond 5e-4
there is no point: the last power law goes on only where that is asked for.

One lambda gives 41 to 88 % at 1e-4 and 86 to 98 % at 5e-4, by network and data set (table 1); in one network at 5e-4 its layers have from
76 to 99 % (table 2); FE-Nets on ImageNet have 60 to 80 %, at penalties that are not printed (table 8). So a curve is a starting point.
"""

from __future__ import annotations

from itertools import pairwise
from math import exp, log

from archspace.errors import LawError, UnknownNameError

# curve (layers and data set of a ShiftResNet) -> ((lambda, share of channels that stay in place), ...): SSL, table 1
CURVES: dict[str, tuple[tuple[float, float], ...]] = {
    "20_cifar10": ((0.0, 0.121), (1e-4, 0.666), (4e-4, 0.917), (5e-4, 0.935)),
    "20_cifar100": ((0.0, 0.103), (1e-4, 0.412), (4e-4, 0.800), (5e-4, 0.861)),
    "56_cifar10": ((0.0, 0.128), (1e-4, 0.878), (4e-4, 0.974), (5e-4, 0.980)),
    "56_cifar100": ((0.0, 0.114), (1e-4, 0.738), (4e-4, 0.946), (5e-4, 0.961)),
}
CURVE = "20_cifar10"
LARGEST = 5e-4  # the largest lambda of table 1


def sparsity_at(penalty: float, curve: str = CURVE, *, beyond: bool = False) -> float:
    """The share of channels that a sparse shift leaves in place when it is trained with this lambda.

    Raises LawError for a lambda above table 1's largest unless `beyond`, and for one below 0; UnknownNameError for an unknown curve.

    >>> [round(sparsity_at(x), 3) for x in (0, 5e-5, 1e-4, 2e-4, 5e-4)]
    [0.121, 0.394, 0.666, 0.834, 0.935]
    """
    if curve not in CURVES:
        raise UnknownNameError("curve of table 1", curve, CURVES)
    if not 0 <= penalty <= (1.0 if beyond else LARGEST):
        way_out = "" if beyond else " Give lambda_beyond as well, which continues its last power law."
        raise LawError(f"shift_lambda must be from 0 to {1.0 if beyond else LARGEST:g}, as in SSL's table 1, but got {penalty:g}.{way_out}")
    points = CURVES[curve]
    (low, least), (high, most) = next((pair for pair in pairwise(points) if penalty <= pair[1][0]), (points[-2], points[-1]))
    if low == 0:
        return least + (most - least) * penalty / high
    share = log(penalty / low) / log(high / low)
    return 1 - exp((1 - share) * log(1 - least) + share * log(1 - most))


def scatter_at(penalty: float, *, beyond: bool = False) -> tuple[float, float]:
    """The least and the most sparsity that the curves give at a lambda. Raises LawError.

    >>> [tuple(round(share, 2) for share in scatter_at(x)) for x in (1e-4, 5e-4)]
    [(0.41, 0.88), (0.86, 0.98)]
    """
    found = [sparsity_at(penalty, curve, beyond=beyond) for curve in CURVES]
    return min(found), max(found)


def penalty_text(penalty: float, curve: str = CURVE, *, beyond: bool = False) -> str:
    """A lambda with its sparsity and the scatter, for people.

    >>> penalty_text(1e-4)
    'lambda 0.0001: 66.6 % stay in place (41 to 88 % by network and data set)'
    """
    low, high = scatter_at(penalty, beyond=beyond)
    share = sparsity_at(penalty, curve, beyond=beyond)
    return f"lambda {penalty:.3g}: {100 * share:.1f} % stay in place ({100 * low:.0f} to {100 * high:.0f} % by network and data set)"
