"""Rows of float32 in the processor's registers, for compiled functions.

Each function here becomes machine instructions within a numba function that calls
it; all arguments are addresses and counts. Nothing is checked. Importing it fails
without numba.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numba
from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.core.registry import cpu_target

if TYPE_CHECKING:
    from collections.abc import Callable

    Typed = tuple[Any, Callable[..., Any]]

_NUMBER, _INDEX, _WORD = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_WIDE = "+avx512f" in cpu_target.target_context.codegen().magic_tuple()[2].split(",")
_WIDTH, HELD = (16, 8) if _WIDE else (8, 6)
"""Numbers of a register; rows of sums that are held at once. Of two registers each,
and with what meets them, they take most of the 32 or 16 that there are."""
LANES = 2 * _WIDTH
"""Numbers of a row."""
_VECTOR = ir.VectorType(_NUMBER, _WIDTH)
_WORDS = ir.VectorType(_WORD, _WIDTH)
_PIECES = range(0, LANES, _WIDTH)


intrinsic: Any = extending.intrinsic


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function on its first call ever, and keep the code."""
    try:
        return numba.njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # no folder to keep the compiled code in
        return numba.njit(nogil=True, error_model="numpy")(function)


class _Vector:
    """Numbers of a register, with which one can calculate."""

    def __init__(self, b: Any, value: Any) -> None:
        self.b, self.value = b, value

    def _other(self, other: _Vector | float) -> Any:
        if isinstance(other, _Vector):
            return other.value
        return ir.Constant(_VECTOR, [other] * _WIDTH)

    def __add__(self, other: _Vector | float) -> _Vector:
        found = self.b.fadd(self.value, self._other(other), flags=["contract"])
        return _Vector(self.b, found)

    def __sub__(self, other: _Vector | float) -> _Vector:
        found = self.b.fsub(self.value, self._other(other), flags=["contract"])
        return _Vector(self.b, found)

    def __mul__(self, other: _Vector | float) -> _Vector:
        found = self.b.fmul(self.value, self._other(other), flags=["contract"])
        return _Vector(self.b, found)

    def inverse(self) -> _Vector:
        return _Vector(self.b, self.b.fdiv(self._other(1.0), self.value))

    def where_negative(self, yes: _Vector, no: _Vector) -> _Vector:
        negative = self.b.fcmp_ordered("<", self.value, self._other(0.0))
        return _Vector(self.b, self.b.select(negative, yes.value, no.value))

    def at_least(self, least: float) -> _Vector:
        low = self.b.fcmp_ordered("<", self.value, self._other(least))
        return _Vector(self.b, self.b.select(low, self._other(least), self.value))

    def polynomial(self, *coefficients: float) -> _Vector:
        """Horner's rule, the highest power first."""
        found = self * coefficients[0] + coefficients[1]
        for c in coefficients[2:]:
            found = found * self + c
        return found

    def exp(self) -> _Vector:
        """Return the exponential of what is at most 0, as expf of Cephes does."""
        x = self.at_least(-87.0)
        # adding 1.5 · 2²³ rounds, and leaves the whole number in the last bits
        shifted = x * math.log2(math.e) + 1.5 * 2**23
        n = shifted - 1.5 * 2**23
        r = x - n * 0.693359375 + n * 2.12194440e-4
        tail = r.polynomial(
            1.9875691500e-4,
            1.3981999507e-3,
            8.3334519073e-3,
            4.1665795894e-2,
            1.6666665459e-1,
            5.0000001201e-1,
        )
        bits = self.b.bitcast(shifted.value, _WORDS)
        bits = self.b.shl(bits, ir.Constant(_WORDS, [23] * _WIDTH))
        bits = self.b.add(bits, ir.Constant(_WORDS, [127 << 23] * _WIDTH))
        power = _Vector(self.b, self.b.bitcast(bits, _VECTOR))
        return (tail * r * r + r + 1.0) * power


class _Memory:
    """Numbers from an address on."""

    def __init__(self, b: Any, address: Any, kind: Any = _NUMBER) -> None:
        self.b, self.kind = b, kind
        self.base = b.inttoptr(address, kind.as_pointer())

    def place(self, index: Any) -> Any:
        index = _INDEX(index) if isinstance(index, int) else index
        return self.b.gep(self.base, [index])

    def number(self, index: Any) -> Any:
        return self.b.load(self.place(index))

    def from_here(self, index: Any) -> _Memory:
        found = _Memory.__new__(_Memory)
        found.b, found.kind, found.base = self.b, self.kind, self.place(index)
        return found

    def vector(self, index: int) -> _Vector:
        place = self.b.bitcast(self.place(index), _VECTOR.as_pointer())
        found = self.b.load(place)
        found.align = 4
        return _Vector(self.b, found)

    def put(self, index: int, vector: _Vector) -> None:
        place = self.b.bitcast(self.place(index), _VECTOR.as_pointer())
        self.b.store(vector.value, place).align = 4

    def everywhere(self, index: Any) -> _Vector:
        nothing = ir.Constant(_VECTOR, ir.Undefined)
        first = self.b.insert_element(nothing, self.number(index), _WORD(0))
        zeros = ir.Constant(_WORDS, [0] * _WIDTH)
        return _Vector(self.b, self.b.shuffle_vector(first, nothing, zeros))


class _Sums:
    """Rows of sums in registers."""

    def __init__(self, b: Any, count: int) -> None:
        self.b = b
        self.rows = [
            [cgutils.alloca_once(b, _VECTOR) for _ in _PIECES] for _ in range(count)
        ]

    def begin(self, j: int, row: _Memory) -> None:
        for one, v in zip(self.rows[j], _PIECES, strict=True):
            self.b.store(row.vector(v).value, one)

    def add(self, j: int, factor: _Vector, row: list[_Vector]) -> None:
        for one, vector in zip(self.rows[j], row, strict=True):
            total = _Vector(self.b, self.b.load(one)) + factor * vector
            self.b.store(total.value, one)

    def end(self, j: int, row: _Memory) -> None:
        for one, v in zip(self.rows[j], _PIECES, strict=True):
            row.put(v, _Vector(self.b, self.b.load(one)))


def _typed(count: int, write: Callable[..., None]) -> Typed:
    """Return the signature of so many addresses and counts, and what generates it."""

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        write(b, *args)
        return context.get_dummy_value()

    return types.void(*[types.intp] * count), generate


@intrinsic
def row_sums(
    context: Any, a: Any, begins: Any, length: Any, start: Any, rows: Any, out: Any
) -> Typed:
    """``out[j] = start + Σ_i a[begins[j] + i] · rows[i]`` of `HELD` rows j."""

    def write(b: Any, *args: Any) -> None:
        a, begins, length, start, rows, out = args
        a, start, rows, out = (_Memory(b, each) for each in (a, start, rows, out))
        begins = _Memory(b, begins, _INDEX)
        pieces = [a.from_here(begins.number(j)) for j in range(HELD)]
        sums = _Sums(b, HELD)
        for j in range(HELD):
            sums.begin(j, start)
        with cgutils.for_range(b, length) as loop:
            row = rows.from_here(b.mul(loop.index, _INDEX(LANES)))
            vectors = [row.vector(v) for v in _PIECES]
            for j in range(HELD):
                sums.add(j, pieces[j].everywhere(loop.index), vectors)
        for j in range(HELD):
            sums.end(j, out.from_here(j * LANES))

    return _typed(6, write)


def _column_sums(count: int) -> Any:
    @intrinsic
    def column_sums(
        context: Any,
        a: Any,
        begins: Any,
        stride: Any,
        length: Any,
        rows: Any,
        step: Any,
        out: Any,
    ) -> Typed:
        """``out[j] += Σ_i a[begins[i] · stride + j] · rows[i · step]``."""

        def write(b: Any, *args: Any) -> None:
            a, begins, stride, length, rows, step, out = args
            a, rows, out = (_Memory(b, each) for each in (a, rows, out))
            begins = _Memory(b, begins, _INDEX)
            sums = _Sums(b, count)
            for j in range(count):
                sums.begin(j, out.from_here(j * LANES))
            with cgutils.for_range(b, length) as loop:
                piece = a.from_here(b.mul(begins.number(loop.index), stride))
                row = rows.from_here(b.mul(loop.index, step))
                vectors = [row.vector(v) for v in _PIECES]
                for j in range(count):
                    sums.add(j, piece.everywhere(j), vectors)
            for j in range(count):
                sums.end(j, out.from_here(j * LANES))

        return _typed(7, write)

    return column_sums


column_sums, one_column_sums = _column_sums(HELD), _column_sums(1)


@intrinsic
def put(context: Any, out: Any, row: Any) -> Typed:
    """``out = row``."""

    def write(b: Any, *args: Any) -> None:
        out, row = (_Memory(b, each) for each in args)
        for v in _PIECES:
            out.put(v, row.vector(v))

    return _typed(2, write)


@intrinsic
def add(context: Any, out: Any, row: Any) -> Typed:
    """``out += row``."""

    def write(b: Any, *args: Any) -> None:
        out, row = (_Memory(b, each) for each in args)
        for v in _PIECES:
            out.put(v, out.vector(v) + row.vector(v))

    return _typed(2, write)


@intrinsic
def maximum(context: Any, out: Any, row: Any) -> Typed:
    """``out = max(out, row)``."""

    def write(b: Any, *args: Any) -> None:
        out, row = (_Memory(b, each) for each in args)
        for v in _PIECES:
            old, new = out.vector(v), row.vector(v)
            out.put(v, (new - old).where_negative(old, new))

    return _typed(2, write)


@intrinsic
def exponential(context: Any, out: Any, most: Any, total: Any) -> Typed:
    """``out = exp(out - most); total += out``, where no number is above most."""

    def write(b: Any, *args: Any) -> None:
        out, most, total = (_Memory(b, each) for each in args)
        for v in _PIECES:
            found = (out.vector(v) - most.vector(v)).exp()
            out.put(v, found)
            total.put(v, total.vector(v) + found)

    return _typed(3, write)


@intrinsic
def multiply(context: Any, out: Any, row: Any) -> Typed:
    """``out *= row``."""

    def write(b: Any, *args: Any) -> None:
        out, row = (_Memory(b, each) for each in args)
        for v in _PIECES:
            out.put(v, out.vector(v) * row.vector(v))

    return _typed(2, write)


@intrinsic
def mix(
    context: Any, out: Any, ours: Any, theirs: Any, takes: Any, keeps: Any
) -> Typed:
    """``out = (theirs where takes is 1, ours where it is 0) * keeps``."""

    def write(b: Any, *args: Any) -> None:
        out, ours, theirs, takes, keeps = (_Memory(b, each) for each in args)
        for v in _PIECES:
            switch = takes.vector(v) * -1.0 + 0.5
            chosen = switch.where_negative(theirs.vector(v), ours.vector(v))
            out.put(v, chosen * keeps.vector(v))

    return _typed(5, write)


@intrinsic
def gelu(context: Any, row: Any, out: Any, slope: Any) -> Typed:
    """``out, slope = y Φ(y), Φ(y) + y φ(y)`` of y = row.

    Φ comes from the exponential that φ needs anyway, by formula 7.1.26 of
    Abramowitz & Stegun, *Handbook of Mathematical Functions* (error below 8e-8).
    """

    def write(b: Any, *args: Any) -> None:
        row, out, slope = (_Memory(b, each) for each in args)
        for v in _PIECES:
            y = row.vector(v)
            bell = (y * y * -0.5).exp()
            size = y.where_negative(y * -1.0, y)
            t = (size * (0.3275911 / math.sqrt(2)) + 1.0).inverse()
            series = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
            tail = t.polynomial(*[c / 2 for c in series]) * t * bell
            below = y.where_negative(tail, tail * -1.0 + 1.0)
            out.put(v, y * below)
            slope.put(v, y * bell * (1 / math.sqrt(2 * math.pi)) + below)

    return _typed(3, write)
