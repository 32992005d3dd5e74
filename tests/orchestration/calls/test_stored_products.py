"""Test where the files of a study lie in an object store, and that every job names what it reads there."""

import logging
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from checkout import TINY

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.orchestration.calls.logs import name_copies_of_logs
from anytime_pruning.orchestration.calls.object_store import StoreError, check_data_travels, open_store
from anytime_pruning.orchestration.calls.stored_products import StoredProducts
from anytime_pruning.orchestration.inputs import cache_file
from anytime_pruning.orchestration.jobs import in_folder
from anytime_pruning.orchestration.plan import make_plan
from anytime_pruning.settings.run import parse_settings

COPIES = Path(".snakemake/storage/toy")


class ToyObject:
    """Answers as an object of a storage plugin does."""

    def __init__(self, provider, query):
        self.provider, self.query, self.key = provider, query, query.removeprefix("toy://")
        self.path = COPIES / self.key

    def exists(self):
        if self.provider.is_down:
            raise ConnectionError("no route\nto the store")
        self.provider.asked.append(self.key)
        return self.key in self.provider.objects

    def local_path(self):
        return self.path

    def set_local_path(self, path):
        self.path = path

    def retrieve_object(self):
        self.path.write_bytes(self.provider.objects[self.key])

    def cache_key(self):
        return str(COPIES / self.key)

    def get_inventory_parent(self):
        return str(COPIES / "bucket")

    async def inventory(self, listed):
        self.provider.n_lists += 1
        if self.provider.lists and not self.provider.is_made:
            listed.exists_in_storage[self.cache_key()] = False
        elif self.provider.lists:
            folder = self.key.rpartition("/")[0]
            listed.exists_in_storage |= {str(COPIES / key): True for key in self.provider.objects if folder in key}
            listed.exists_in_storage[self.get_inventory_parent()] = True


class ToyProvider:
    """Holds objects by their keys, and counts what it is asked."""

    def __init__(self):
        self.objects, self.asked, self.n_lists = {}, [], 0
        self.lists = self.is_made = True
        self.is_down = False

    def object(self, query):
        return ToyObject(self, query)


def run_now(coroutine):
    """Run a coroutine that waits for nothing."""
    with pytest.raises(StopIteration):
        coroutine.send(None)


@pytest.fixture
def provider():
    return ToyProvider()


def open_toy(provider):
    return open_store(
        SimpleNamespace(
            storage_registry=SimpleNamespace(default_storage_provider=provider),
            storage_settings=SimpleNamespace(default_storage_prefix="toy://bucket/app/"),
            async_run=run_now,
        )
    )


@pytest.fixture
def store(provider):
    return open_toy(provider)


@pytest.fixture
def study(store, provider, tmp_path, monkeypatch):
    """Return the plan of a study of four runs, of which the first is in the store."""
    monkeypatch.chdir(tmp_path)
    plan = make_plan(TINY, store.exists)
    provider.objects[f"bucket/app/{plan.run_metrics()[0]}"] = b""
    return make_plan(TINY, open_toy(provider).exists)


def products_of(plan, store):
    forced = set()
    return StoredProducts(plan, store, forced.update, lambda path: f"local {path}"), forced


def test_without_a_store_files_lie_in_the_working_folder():
    assert open_toy(None) is None


def test_jobs_work_in_the_folder_of_the_copies(store, tmp_path):
    assert store.folder == ".snakemake/storage/toy/bucket/app"
    assert store.place("results/tiny/runs.txt") == f"{store.folder}/results/tiny/runs.txt"
    (tmp_path / "a b").mkdir()
    command = f"{in_folder('a b', 'pwd')} > log"
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    assert (tmp_path / "log").read_text() == f"{tmp_path / 'a b'}\n"


@pytest.mark.parametrize("lists", [True, False])
def test_runs_in_the_store_are_not_missing_and_are_asked_for_together(study, provider, lists):
    assert study.present_runs() == [next(iter(study.runs))]
    provider.asked.clear()
    provider.lists, provider.n_lists = lists, 0
    store = open_toy(provider)
    assert [store.exists(path) for path in study.run_metrics()] == [True, False, False, False]
    assert provider.n_lists == 1
    # One question finds out whether the store answers. A store that makes no lists is asked for each run.
    assert len(provider.asked) == (1 if lists else 5)


def test_a_store_that_is_not_made_yet_has_no_runs(provider):
    provider.is_made = False
    store = open_toy(provider)
    assert not store.exists("results/tiny/runs/a/metrics.json")
    assert not store.exists("results/tiny/runs/b/metrics.json")
    assert len(provider.asked) == 1


def test_a_store_that_does_not_answer_is_one_line(provider, store):
    provider.is_down = True
    for ask in (store.exists, store.read):
        with pytest.raises(
            StoreError, match=r"^toy://bucket/app.*: the object store does not answer: no route"
        ) as error:
            ask("results/tiny/runs/a/metrics.json")
        assert "\n" not in str(error.value)


def test_the_content_of_an_object_is_read_beside_the_copies(provider, store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    provider.objects["bucket/app/results/tiny/runs.txt"] = b"a\n"
    assert store.read("results/tiny/runs.txt") == b"a\n"
    assert store.read("results/tiny/figures.json") is None
    assert list(tmp_path.iterdir()) == []


def test_the_plan_is_made_again_only_if_the_store_holds_another(study, provider, store):
    products, forced = products_of(study, store)
    places = set(map(store.place, study.files()))
    assert products.inputs_of_plan() == []
    assert forced == places
    provider.objects |= {f"bucket/app/{path}": content for path, content in study.lists().items()}
    products, forced = products_of(study, store)
    assert products.inputs_of_plan() == []
    assert forced == set()
    provider.objects[f"bucket/app/{study.paths.runs_list}"] += b"another\n"
    products.inputs_of_plan()
    assert forced == places


def test_every_job_names_what_it_reads(study, store):
    products, _ = products_of(study, store)
    done, missing = list(study.runs)[:2]
    assert products.inputs_of_run(missing) == [cache_file(study.runs[missing])]
    assert products.inputs_of_run(done) == []
    tables, configs = study.tables(), {f"{study.paths.run(name)}/config.yaml" for name in study.runs}
    collected = products.inputs_of_tables()
    assert {Path(path).name for path in collected if missing in path} == {
        *("config.yaml", "megabatches.csv", "epochs.csv", "layers.csv", "metrics.json")
    }
    assert {*study.files(), *configs, *study.run_metrics()} <= set(collected)
    assert set(products.inputs_of_present_tables()) == set(study.paths.run_files(done))
    for name, figure in study.figures.items():
        read = {study.paths.figure_plan, *map(study.paths.table, figure.tables)}
        assert set(products.inputs_of_figure(name)) == read
    claims = products.inputs_of_claims("/c.yaml")
    assert claims[0] == "local /c.yaml"
    assert configs < set(claims)
    walkthrough = set(products.inputs_of_walkthrough("/n.ipynb", "/c.yaml"))
    shown = {*study.paths.claims_files(), *(file for name in study.figures for file in study.files_of_figure(name))}
    assert {"local /n.ipynb", *study.files(), *tables, *configs, *shown} == walkthrough
    assert {study.paths.figure_plan, study.paths.walkthrough, *shown} == set(products.inputs_of_report("", ""))
    assert products.inputs_of_metrics() == [study.paths.table("runs")]


def test_metrics_json_is_stored_last(study):
    assert study.paths.run_files("a")[-1] == study.paths.run_metrics("a")


def test_data_at_an_absolute_path_is_each_machines_own(provider, store, tmp_path):
    content = TINY | {"execution": {"device": "cpu", "data_dir": str(tmp_path)}}
    plan = make_plan(content, store.exists)
    products, _ = products_of(plan, store)
    assert [products.inputs_of_run(name) for name in plan.runs] == [[]] * 4
    check_data_travels(plan.runs.values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"execution": {"data_dir": "../data"}},
            r"^execution.data_dir: '\.\./data' is not allowed with an object store; ",
        ),
        (
            {"dataset": {"name": "cats", "source": "image_folder", "path": "cats"}},
            "^dataset: 'cats' is not allowed with an object store without content_sha256",
        ),
    ],
)
def test_data_that_other_machines_would_not_find_is_refused(changes, message):
    settings = parse_settings({"dataset": "digits", "model": "resnet20"} | changes)
    with pytest.raises(SettingError, match=message):
        check_data_travels([settings])


def test_the_log_of_a_failed_job_is_shown_from_its_copy(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copy = Path(store.place("results/tiny/logs/a.log"))
    copy.parent.mkdir(parents=True)
    copy.touch()
    logs = [f"toy://bucket/app/results/tiny/logs/{name}.log (send to storage)" for name in "ab"]
    record = logging.makeLogRecord({"log": [*logs, "own.log"]})
    assert name_copies_of_logs(store)(record)
    assert record.log == [str(copy), logs[1], "own.log"]
    assert name_copies_of_logs(store)(logging.makeLogRecord({"msg": "no job"}))
