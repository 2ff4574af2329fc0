"""The filters, functions and tests of the mapping language: a closed list, declared one by one."""

from . import choices, identity, kinds, lists, numbers, objects, patterns, texts, times  # noqa: F401  (importing them declares them)
from .reference import reference
from .registry import FILTERS, FUNCTIONS, TESTS, Fails, Filter

__all__ = ["FILTERS", "FUNCTIONS", "TESTS", "Fails", "Filter", "reference"]
