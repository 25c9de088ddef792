"""Recurrent layers: LSTM, GRU and RNN over whole sequences, and the states that they end in."""

from __future__ import annotations

from dataclasses import dataclass

from archspace.ir.ops.base import Counts, LawError, Op, Shape, one_of, positive, prod, single


@dataclass(frozen=True, slots=True)
class Recurrent(Op):
    """Layers that step through a sequence. x: (seq, batch, input_size) -> y: (seq, batch, directions * what a step gives).

    With `batch_first` x and y are (batch, seq, ...). Initial states may follow x; they are (directions * num_layers, batch, size).
    madds: every step multiplies its input and the last output by the weights of each gate.
    """

    input_size: int
    hidden_size: int
    num_layers: int = 1
    bias: bool = True
    batch_first: bool = False
    bidirectional: bool = False

    @property
    def gates(self) -> int:
        """Rows of weights per hidden unit."""
        raise NotImplementedError

    @property
    def projection(self) -> int:
        """What a step's output is projected to; 0 where it is not."""
        return 0

    @property
    def directions(self) -> int:
        """2 when the sequence is also read backwards."""
        return 2 if self.bidirectional else 1

    @property
    def states(self) -> tuple[int, ...]:
        """The sizes of the states that a step hands to the next: hidden, and the cell's for an LSTM."""
        return (self.projection or self.hidden_size,)

    def weights(self) -> tuple[int, int]:
        """How many weights multiply, and how many are biases, over all layers and directions."""
        h, out, d, n = self.hidden_size, self.projection or self.hidden_size, self.directions, self.num_layers
        inputs = self.input_size + (n - 1) * d * out
        multiplied = d * self.gates * h * (inputs + n * out) + d * n * self.projection * h
        return multiplied, 2 * d * n * self.gates * h if self.bias else 0

    def out_shape(self, *shapes: Shape) -> Shape:
        name, states = type(self).__name__, self.states
        positive(self, input_size=self.input_size, hidden_size=self.hidden_size, num_layers=self.num_layers)
        if len(shapes) not in (1, 1 + len(states)):
            raise LawError(f"{name} takes one input, or {1 + len(states)} with its initial states, but got {len(shapes)}")
        shape = shapes[0]
        if len(shape) != 3 or shape[2] != self.input_size:
            axes = "batch, seq" if self.batch_first else "seq, batch"
            raise LawError(f"{name} takes an input ({axes}, input_size={self.input_size}), but got shape {shape}")
        batch = shape[0] if self.batch_first else shape[1]
        for state, size in zip(shapes[1:], states, strict=False):
            if state != (self.directions * self.num_layers, batch, size):
                expected = (self.directions * self.num_layers, batch, size)
                raise LawError(f"{name}: an initial state must be (directions * num_layers, batch, size) = {expected}, but got {state}")
        return (*shape[:2], self.directions * (self.projection or self.hidden_size))

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        multiplied, biases = self.weights()
        n_out = prod(out)
        return Counts(
            madds=out[0] * out[1] * multiplied,
            params=multiplied + biases,
            acts=n_out,
            in_elems=sum([prod(shape) for shape in shapes]),
            weight_elems=multiplied + biases,
            out_elems=n_out,
        )


@dataclass(frozen=True, slots=True)
class LSTM(Recurrent):
    """Long short-term memory: four gates, hidden and cell state, the hidden one projected to `proj_size` unless that is 0."""

    proj_size: int = 0

    @property
    def gates(self) -> int:
        """Input, forget, cell and output."""
        return 4

    @property
    def projection(self) -> int:
        """`proj_size`, which must be smaller than the hidden state."""
        if not 0 <= self.proj_size < self.hidden_size:
            raise LawError(
                f"LSTM: 0 <= proj_size < hidden_size must hold, but got proj_size={self.proj_size}, hidden_size={self.hidden_size}"
            )
        return self.proj_size

    @property
    def states(self) -> tuple[int, ...]:
        """Hidden and cell."""
        return (self.projection or self.hidden_size, self.hidden_size)


@dataclass(frozen=True, slots=True)
class GRU(Recurrent):
    """Gated recurrent unit: three gates, one state."""

    @property
    def gates(self) -> int:
        """Reset, update and new."""
        return 3


@dataclass(frozen=True, slots=True)
class RNN(Recurrent):
    """The plain recurrent layer: h' = nonlinearity(W x + U h)."""

    nonlinearity: str = "tanh"

    @property
    def gates(self) -> int:
        """No gates: the state itself."""
        return 1

    def out_shape(self, *shapes: Shape) -> Shape:
        one_of(self, "nonlinearity", self.nonlinearity, ("tanh", "relu"))
        return Recurrent.out_shape(self, *shapes)


@dataclass(frozen=True, slots=True)
class FinalState(Op):
    """A state that a recurrent layer ends in, taken of its y: (seq, batch, ...) -> (states, batch, hidden_size).

    It is there once y is, so it costs nothing; `states` is directions * num_layers of the layer.
    """

    states: int
    hidden_size: int
    batch_first: bool = False

    def out_shape(self, *shapes: Shape) -> Shape:
        shape = single(self, shapes)
        positive(self, states=self.states, hidden_size=self.hidden_size)
        if len(shape) != 3:
            raise LawError(f"FinalState takes the 3-D output of a recurrent layer, but got shape {shape}")
        return (self.states, shape[0] if self.batch_first else shape[1], self.hidden_size)

    def counts(self, shapes: tuple[Shape, ...], out: Shape) -> Counts:
        return Counts()
