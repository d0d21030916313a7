"""Checks of types and array shapes at each call of diffdip, by jaxtyping and beartype."""

import inspect
import typing

import jaxtyping


with_shapes = jaxtyping.jaxtyped


def install(modules):
    """Check what is imported from these modules from now on.

    Where no array is annotated, beartype checks the types alone. The account of shapes that
    jaxtyping keeps takes 30 µs in each call, and some files have 100 000 calls of such functions.
    """
    jaxtyping.jaxtyped = jaxtyped
    jaxtyping.install_import_hook(modules, "beartype.beartype")


def jaxtyped(*, typechecker):
    """The decorator that the hook puts on each function and class."""

    def decorate(target):
        if not inspect.isfunction(target):
            return with_shapes(target, typechecker=typechecker)
        hints = {name: resolved(target, hint) for name, hint in target.__annotations__.items()}
        if any("jaxtyping" in repr(hint) for hint in hints.values()):
            return with_shapes(target, typechecker=typechecker)
        target.__annotations__ = hints
        return typechecker(target)

    return decorate


def resolved(function, hint):
    """An annotation without strings; Any, as for jaxtyping, if it names what is not there yet."""
    holder = type("Holder", (), {"__annotations__": {"hint": hint}})
    try:
        return typing.get_type_hints(holder, function.__globals__, include_extras=True)["hint"]
    except Exception:
        return typing.Any
