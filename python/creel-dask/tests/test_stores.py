"""Sources in an object store: workers read them with the credentials of their own environment."""

from __future__ import annotations

import importlib.util
import pathlib
from collections.abc import Iterator
from typing import Any

import creel_dask
import dask.base
import pytest
import rust
from cluster import ROOT, TARGET, cluster, creel
from command import run
from programs import CASES, rows_of, texts

SECRET = "not-to-be-shown"


def stores() -> Any:
    """The servers of the benches, which tests/servers/install.sh installs."""
    spec = importlib.util.spec_from_file_location("servers", ROOT / "benches/servers.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def store() -> Iterator[Any]:
    """SeaweedFS with the fixtures in it, behind a secret that no output may show."""
    servers = stores()
    (identity, _) = servers.IDENTITIES["identities"]
    identity["credentials"] = [{"accessKey": "tester", "secretKey": SECRET}]
    (TARGET / "bench").mkdir(exist_ok=True)
    with servers.seaweedfs() as server:
        server.environment |= {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": SECRET}
        for path in [*(ROOT / "fixtures/peps").glob("*.rst"), *(ROOT / "fixtures").glob("access.*")]:
            server.put(str(path.relative_to(ROOT / "fixtures")), path.read_bytes())
        yield server


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_answers_over_s3_are_those_of_the_command(store: Any, tmp_path: pathlib.Path, workers: int) -> None:
    with cluster(tmp_path / "c", workers, environment=store.environment) as made, made.client() as client:
        for case in CASES:
            # The client's environment has neither the endpoint nor the credentials.
            sources = [store.base + source for source in case.sources]
            rows = creel_dask.run(client, case.program, sources, blocksize="4k", tasks=7)
            local = creel("-t", "jsonl", case.program, *(f"{ROOT}/fixtures/{source}" for source in case.sources))
            assert texts(rows) == texts(rows_of(local.stdout)), case.name
            done = run(tmp_path, made.address, "-t", "jsonl", "--blocksize", "4k", case.program, *sources)
            assert (done.returncode, done.stdout) == (0, local.stdout), (case.name, done.stderr)


def test_secrets_of_workers_are_in_no_log_event_error_or_result(store: Any, tmp_path: pathlib.Path) -> None:
    with cluster(tmp_path / "c", 2, environment=store.environment) as made, made.client() as client:
        program = creel_dask.Program("count", f"{store.base}access.log").persist()
        assert program.compute() == [1500]
        values = client.gather(list(dask.base.unpack_collections(program)[0][0].__dask_graph__().values()))
        with pytest.raises(creel_dask.CreelError) as missing:
            creel_dask.run(client, "count", f"{store.base}nowhere.log", progress=True)
        seen = [made.logs(), repr(values), repr(client.get_events()), repr(vars(missing.value))]
        seen += [path.read_text(errors="replace") for path in made.folder.rglob("*") if path.is_file()]
        assert all(SECRET not in text for text in seen)


def test_a_worker_without_credentials_is_named(store: Any, tmp_path: pathlib.Path) -> None:
    environment = store.environment | {"AWS_SECRET_ACCESS_KEY": "another"}
    with cluster(tmp_path / "c", 1, environment=environment) as made, made.client() as client:
        with pytest.raises(creel_dask.CreelError, match="access.log") as refused:
            creel_dask.run(client, "count", f"{store.base}access.log")
        assert str(refused.value.worker).startswith("tcp://127.0.0.1:")
        assert refused.value.rows is None and made.address


def test_a_program_in_rust_reads_as_workers_may_and_shows_no_secret(store: Any, tmp_path: pathlib.Path) -> None:
    own = "of-the-client"
    with cluster(tmp_path / "c", 2, environment=store.environment) as made, made.client() as client:
        done = rust.run(tmp_path, "count", made.address, f"{store.base}peps/*.rst", AWS_SECRET_ACCESS_KEY=own)
        assert done.stdout == rust.answer(tmp_path, "count"), done.stderr
        # Errors are what shows most.
        missing = rust.run(tmp_path, "count", made.address, f"{store.base}nowhere.log", AWS_SECRET_ACCESS_KEY=own)
        assert missing.returncode == 1 and "nowhere.log" in missing.stderr, missing.stderr
        seen = [made.logs(), repr(client.get_events()), repr(client.story()), done.stderr, missing.stderr]
        seen += [path.read_text(errors="replace") for path in made.folder.rglob("*") if path.is_file()]
        assert all(SECRET not in text and own not in text for text in seen)
