"""What is said of work that the vocabulary has no op for."""

from __future__ import annotations

from archspace.analysis.coverage import Coverage

SHOWN = 3  # opaque nodes that a message names


class OpaqueWarning(UserWarning):
    """Some of a network's work is unknown, and counted as memory access alone."""


def opaque_words(found: Coverage) -> str:
    """How much is known, and the first nodes that are not: '75 % of nodes known (3 of 4); opaque: fold (Col2Im)'."""
    kinds = [f"{name} ({kind})" for name, kind in found.opaque[:SHOWN]]
    more = f" and {len(found.opaque) - SHOWN} more" if len(found.opaque) > SHOWN else ""
    return f"{found}; opaque: {', '.join(kinds)}{more}"
