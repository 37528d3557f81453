"""Keywords of Python as options of the command."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

# The options that shape the question, and so go into the plan. Those of a process are settings of tasks.
VALUES = ("from", "compression", "encoding", "invalid", "on_missing", "delimiter", "blocksize", "max_record", "max_ratio")
FLAGS = ("text", "anonymous")

Sources = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def arguments(options: dict[str, Any]) -> list[str]:
    """The command's options for keywords: snake case for kebab case, ``from_`` for ``--from``.

    None is as if the keyword was not given, and a flag is given if it is true.

    >>> arguments({"from_": "jsonl", "on_missing": "skip", "anonymous": True, "invalid": None})
    ['--from=jsonl', '--on-missing=skip', '--anonymous']

    Raises TypeError for a keyword that is no option.
    """
    found = []
    for keyword, value in options.items():
        name = keyword.removesuffix("_")
        option = f"--{name.replace('_', '-')}"
        if name in FLAGS:
            found += [option] if value else []
        elif name not in VALUES:
            known = ", ".join(sorted(("from_", *VALUES[1:], *FLAGS)))
            raise TypeError(f"unexpected keyword {keyword!r}; the options are {known}")
        elif value is not None:
            found.append(f"{option}={value}")
    return found


def named(sources: Sources) -> list[str]:
    """Sources as they are given. The binary makes paths of this folder absolute, for any worker to read.

    >>> named(["s3://bucket/*.gz", "a.log"])
    ['s3://bucket/*.gz', 'a.log']

    Raises ValueError for standard input, which no worker has, and if there is no source.
    """
    given = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    if not given:
        raise ValueError("no source is named")
    paths = [os.fspath(source) for source in given]
    if "-" in paths:
        raise ValueError("standard input (-) is no source on a cluster: workers cannot read it")
    return paths
