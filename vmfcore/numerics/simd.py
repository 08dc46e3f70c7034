"""Vectors of 64 bytes as values of a kernel, which LLVM keeps in registers: load, store, add, subtract.

Sums that stay in registers need neither the memory nor the proof that two arrays do not overlap, without which a loop
over array elements is not vectorized.  Where a processor has narrower registers, LLVM takes several: the same bits.
Without compilation the functions below do the same to arrays.
"""

import numba
from llvmlite import ir
from numba import types
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model

BYTES = 64
SCALARS = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}


def n_lanes(array):
    """How many numbers of an array a vector holds: a constant of its type."""
    return BYTES // array.itemsize


def load(array, start):
    """The vector of the numbers of a one-dimensional array from ``start`` on; the array is not checked for its end."""
    return array[start : start + BYTES // array.itemsize].copy()


def store(array, start, vector):
    """Put a vector into an array."""
    array[start : start + len(vector)] = vector


def add(x, y):
    """x + y."""
    return x + y


def subtract(x, y):
    """x - y."""
    return x - y


class Vector(types.Type):
    """The numba type of a vector of real numbers."""

    def __init__(self, real):
        self.real = real
        super().__init__(name=f"Vector({real})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    """A vector is one of LLVM's."""

    def __init__(self, manager, vector):
        n_lanes = BYTES // (vector.real.bitwidth // 8)
        super().__init__(manager, vector, ir.VectorType(SCALARS[vector.real], n_lanes))


def _pointer(context, builder, array_type, array, start):
    """The address of the vector of an array from ``start`` on."""
    data = context.make_array(array_type)(context, builder, array).data
    vector = context.get_value_type(Vector(array_type.dtype))
    return builder.bitcast(builder.gep(data, [start]), vector.as_pointer())


@intrinsic
def _n_lanes(typing, array):
    """`n_lanes`, compiled."""

    def code(context, builder, signature, arguments):
        return context.get_constant(types.intp, BYTES // (signature.args[0].dtype.bitwidth // 8))

    return types.intp(array), code


@intrinsic
def _load(typing, array, start):
    """`load`, compiled."""

    def code(context, builder, signature, arguments):
        array_type = signature.args[0]
        pointer = _pointer(context, builder, array_type, *arguments)
        return builder.load(pointer, align=array_type.dtype.bitwidth // 8)

    return Vector(array.dtype)(array, types.intp), code


@intrinsic
def _store(typing, array, start, vector):
    """`store`, compiled."""

    def code(context, builder, signature, arguments):
        array_type = signature.args[0]
        *place, value = arguments
        builder.store(value, _pointer(context, builder, array_type, *place), align=array_type.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), code


@intrinsic
def _add(typing, x, y):
    """`add`, compiled."""

    def code(context, builder, signature, arguments):
        return builder.fadd(*arguments)

    return x(x, y), code


@intrinsic
def _subtract(typing, x, y):
    """`subtract`, compiled."""

    def code(context, builder, signature, arguments):
        return builder.fsub(*arguments)

    return x(x, y), code


if not numba.config.DISABLE_JIT:
    n_lanes = _n_lanes
    load = _load
    store = _store
    add = _add
    subtract = _subtract
