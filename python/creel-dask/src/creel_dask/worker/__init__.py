"""What runs on a worker. This package is sent to the scheduler and the workers by value.

They need no creel_dask then, and a client of another version than an installed one brings its own. Its modules
import the standard library, distributed, and names (never modules) of each other: cloudpickle writes a function
by value with the functions that it names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def by_value(function: Callable[..., T]) -> Callable[..., T]:
    """The same function in a form that plain pickle refuses.

    distributed tries plain pickle first, which writes a function of this module as the module's name, and
    the scheduler cannot import that. Plain pickle refuses a function that is local to another, so cloudpickle
    gets the whole graph, and it writes this module by value.
    """

    def task(*arguments: Any) -> T:
        return function(*arguments)

    task.__name__ = function.__name__
    return task
