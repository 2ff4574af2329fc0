"""The filters, functions and tests of the mapping language: a closed list, declared one by one."""

from . import choices, kinds, lists, numbers, objects, texts  # noqa: F401  (importing them declares them)
from .registry import FILTERS, FUNCTIONS, TESTS, Fails, Filter

__all__ = ["FILTERS", "FUNCTIONS", "TESTS", "Fails", "Filter"]
