"""Which rules are asked for: codes and prefixes of codes, as `--select G1,S --ignore G401` names them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archspace.errors import UnknownNameError


def selected(codes: Sequence[str], select: Iterable[str] = (), ignore: Iterable[str] = ()) -> tuple[str, ...]:
    """The codes that begin with one of `select` (all without any) and with none of `ignore`, in the order of `codes`.

    >>> selected(["G101", "G102", "G401", "S101"], ["G", "S1"], ["G102"])
    ('G101', 'G401', 'S101')

    Raises UnknownNameError for a code or prefix that fits no rule.
    """
    wanted, unwanted = ([prefix.strip().upper() for prefix in prefixes if prefix.strip()] for prefixes in (select, ignore))
    for prefix in (*wanted, *unwanted):
        if not any(code.startswith(prefix) for code in codes):
            prefixes = sorted({code[:n] for code in codes for n in range(1, len(code))})
            raise UnknownNameError("rule", prefix, codes, also=prefixes)
    return tuple(
        code for code in codes if (not wanted or code.startswith(tuple(wanted))) and not (unwanted and code.startswith(tuple(unwanted)))
    )
