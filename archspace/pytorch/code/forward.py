"""The body of forward: one statement per part, names that are free again are used again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from archspace.pytorch.code.arguments import Solved, input_name
from archspace.pytorch.code.classes import Again, Unit, Value
from archspace.pytorch.code.layout import Code, call, laid_out
from archspace.pytorch.code.naming import noun_of, value_name
from archspace.pytorch.code.pieces import Expression, Layer, Stored
from archspace.pytorch.code.tree import is_attribute

NESTED = 3  # calls that are written inside each other


def input_names(count: int) -> list[str]:
    """The arguments of forward."""
    return [input_name(k) for k in range(count)]


def forward_lines(solved: Solved, texts: Sequence[Sequence[str]], inputs: Sequence[str]) -> list[str]:
    """The statements of forward, given the code of each part's slots in it and the names of its arguments."""
    structure = solved.structure
    accesses = [access(unit) for unit in structure.units]
    return _Writer(structure.units, structure.outputs, inputs).lines(accesses, texts)


class _Writer:
    def __init__(self, units: Sequence[Unit], outputs: tuple[Value, ...], inputs: Sequence[str]) -> None:
        self.units = units
        self.outputs = outputs
        self.names: dict[Value, str] = {(-1, k): name for k, name in enumerate(inputs)}
        self.last: dict[Value, int] = dict.fromkeys(outputs, len(units))  # where a value is read last
        for u in range(len(units) - 1, -1, -1):
            if not self._is_dead(u):
                for value in units[u].inputs:
                    self.last.setdefault(value, u)

    def lines(self, accesses: Sequence[str], texts: Sequence[Sequence[str]]) -> list[str]:
        units = self.units
        if self._is_short_row():
            nested = self.names[-1, 0]
            for access in accesses:
                nested = f"{access}({nested})"
            return laid_out(nested, 2, "return ")
        found: list[str] = []
        u = 0
        while u < len(units):
            if self._is_dead(u):
                u += 1
                continue
            if is_tensor(units[u]):  # it has a name already
                self.names[u, 0] = accesses[u]
                u += 1
                continue
            halves = self._halves(u)
            source = [self.names[value] for value in units[u].inputs]
            if halves:
                targets = [*self._targets(u), *self._targets(u + 1)]
                found += laid_out(f"{source[0]}.chunk(2, dim=1)", 2, f"{', '.join(targets)} = ")
                u += 2
                continue
            code = self._code(u, source, accesses[u], texts[u])
            is_last = u == len(units) - 1
            if is_last and self.outputs == tuple((u, k) for k in range(units[u].results)):
                return [*found, *laid_out(code, 2, "return ")]
            targets = self._targets(u)
            found += laid_out(code, 2, f"{', '.join(targets)} = " if targets else "")
            u += 1
        return [*found, *laid_out(", ".join(self.names[value] for value in self.outputs), 2, "return ")]

    def _is_dead(self, u: int) -> bool:
        """Whether a part is an expression that nobody reads: it is not written. A module may count batches, and is called all the same."""
        return (u, 0) not in self.last and (isinstance(self.units[u].target, Expression) or is_tensor(self.units[u]))

    def _code(self, u: int, source: list[str], access: str, texts: Sequence[str]) -> Code:
        target = self.units[u].target
        return target.write(source, texts) if isinstance(target, Expression) else call(access, source)

    def _targets(self, u: int) -> list[str]:
        """The names of a part's results: that of an input which is not needed any more, else a new one."""
        unit = self.units[u]
        dying = list(dict.fromkeys(self.names[value] for value in unit.inputs if self.last[value] == u and not self._is_tensor_of(value)))
        dying.sort(key=lambda name: (name != "x", name != "y"))
        nouns = self._nouns(unit)
        if len(set(unit.inputs)) > 1:  # something new is made of several values: it takes a plain name, or its own
            dying = [name for name in dying if len(name) == 1] if not nouns else []
        if len(self.outputs) > 1 and (u, 0) in self.outputs:
            dying, nouns = [], [unit.path[-1]] * unit.path[-1].isidentifier()
        names: list[str] = []
        for k in range(unit.results):
            if (u, k) not in self.last:
                names.append("_" if unit.results > 1 else "")
                continue
            alive = {name for value, name in self.names.items() if self.last.get(value, -1) > u or value[0] == u}
            free = [name for name in dying if name not in alive]
            name = free[0] if free else value_name(nouns, alive)
            self.names[u, k] = name
            names.append(name)
        return [name for name in names if name]

    def _is_tensor_of(self, value: Value) -> bool:
        """Whether a value is a tensor of the network's own: its name is never that of another."""
        return value[0] >= 0 and is_tensor(self.units[value[0]])

    def _nouns(self, unit: Unit) -> list[str]:
        """What a part's result may be called: without its number where the parts of that name follow one another."""
        part = unit.path[-1]
        noun = noun_of(part)
        same = [u for u, one in enumerate(self.units) if noun_of(one.path[-1]) == noun]
        in_row = all((before, 0) in self.units[u].inputs for before, u in itertools.pairwise(same))
        return [noun] * in_row + [part] * part.isidentifier() if noun else []

    def _halves(self, u: int) -> bool:
        """Whether this part and the next are the two halves of one value."""
        pair = self.units[u : u + 2]
        forms = [unit.target.form if isinstance(unit.target, Expression) else "" for unit in pair]
        return forms == ["half 0", "half 1"] and pair[0].inputs == pair[1].inputs and {(u, 0), (u + 1, 0)} <= self.last.keys()

    def _is_short_row(self) -> bool:
        units = self.units
        plain = all(isinstance(unit.target, Layer | Again) and unit.inputs == ((u - 1, 0),) for u, unit in enumerate(units))
        return plain and 0 < len(units) <= NESTED and self.outputs == ((len(units) - 1, 0),)


def is_tensor(unit: Unit) -> bool:
    """Whether a part is a tensor of the network's own."""
    return isinstance(unit.target, Stored) or (isinstance(unit.target, Again) and bool(unit.target.tensor))


def access(unit: Unit) -> str:
    """How a part is called: self.conv, self.branch["pw1"] in an open scope; what was called before by its whole name."""
    target = unit.target
    if isinstance(target, Stored):
        *path, last = unit.path
        return f"{within(path)}.{last}" if is_attribute(last) else f'{within(path)}.get_{target.kind}("{last}")'
    if not isinstance(target, Again):
        return within(unit.path)
    whole = ".".join(target.path)
    if target.tensor:
        return f"self.{whole}" if all(map(is_attribute, target.path)) else f'self.get_{target.tensor}("{whole}")'
    return f'self.get_submodule("{whole}")' if len(target.path) > 1 else within(target.path)


def within(path: Sequence[str]) -> str:
    """The module under a path whose parts but the last are open scopes; the network itself under none."""
    if not path:
        return "self"
    first, *rest = path
    start = f"self.{first}" if is_attribute(first) else f'self.get_submodule("{first}")'
    return start + "".join(f'["{name}"]' for name in rest)
