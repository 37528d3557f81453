"""What the tests share: clusters of real processes, and the sources that they read."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterator

import distributed
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from cluster import ROOT, Cluster, binary, cluster  # noqa: E402

FIXTURES = ROOT / "fixtures"


@pytest.fixture(autouse=True)
def creel_on_path(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The binary under test is the one that the client finds."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "creel").symlink_to(binary())
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.fixture(scope="session")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of two workers, for all tests that leave it as it is."""
    with cluster(tmp_path_factory.mktemp("two"), 2) as made:
        yield made


@pytest.fixture
def client(two: Cluster) -> Iterator[distributed.Client]:
    """A client of the cluster of two."""
    with two.client() as made:
        yield made


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Files that take a worker some seconds: 400 MB of numbered words."""
    folder = tmp_path_factory.mktemp("large")
    for part in range(16):
        with open(folder / f"{part:02}.txt", "w") as file:
            for start in range(part * 400_000, (part + 1) * 400_000, 10):
                file.write(" ".join(f"word{number:x}-{number * 7919:x}" for number in range(start, start + 10)) + "\n")
    return folder
