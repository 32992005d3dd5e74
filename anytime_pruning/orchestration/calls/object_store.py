"""Find the files of a study in an object store, if Snakemake keeps them there and not in the working folder.

With `--default-storage-provider`, each path of a rule names an object. Snakemake copies the objects that a job reads
into a folder, and stores the files of this folder that the rule declares. Jobs work in this folder, where the relative
paths are those of any working folder.
"""

from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, Protocol

from anytime_pruning.foundation.errors import ArtifactError, SettingError
from anytime_pruning.settings.run import RunSettings


class StoreError(ArtifactError):
    """Signals that an object could not be read."""


class StoredObject(Protocol):
    """Describes what this module needs of an object of Snakemake's storage plugins."""

    query: str

    def exists(self) -> bool:
        """Ask the store."""

    def local_path(self) -> Path:
        """Return the place of the object's copy on this machine."""

    def set_local_path(self, path: Path) -> None:
        """Choose another place for the copy."""

    def retrieve_object(self) -> None:
        """Copy the object to this machine."""

    def cache_key(self) -> str:
        """Return the name of the object in an inventory."""

    def get_inventory_parent(self) -> str | None:
        """Return a name that an inventory holds if it is complete."""

    def inventory(self, cache: Any) -> Coroutine[Any, Any, None]:
        """Write down which objects exist, as far as the store lists them."""


class ObjectStore:
    """Knows the place of a study's files in a store."""

    def __init__(
        self,
        address: str,
        find: Callable[[str], StoredObject],
        wait: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        """Ask for nothing yet.

        Args:
            address: what stands before the path of every object, such as `s3://bucket`.
            find: returns the object at an address.
            wait: runs a coroutine to its end.
        """
        self._address, self._find_at, self._wait = address, find, wait
        # One list holds what a question for each of hundreds of runs would tell.
        self._listed = cache(self._list)

    def place(self, path: str) -> str:
        """Return the path of the copy of an object, by which Snakemake knows the object."""
        return str(self._find(path).local_path())

    def copy_of(self, address: str) -> str | None:
        """Return the path of the copy of an object, or None if the address is not in this store."""
        path = address.removeprefix(f"{self._address}/")
        return None if path == address else self.place(path)

    @property
    def folder(self) -> str:
        """Return the folder of all copies, in which jobs work."""
        return str(Path(self.place("results")).parent)

    def exists(self, path: str) -> bool:
        """Return whether the store has an object at a path; ask once for each folder of runs.

        Raises:
            StoreError: the store does not answer.
        """
        found = self._find(path)
        known = self._listed(str(Path(*Path(path).parts[:3])))
        if known is None:
            with _in_one_line(found.query):
                return found.exists()
        return found.cache_key() in known

    def read(self, path: str) -> bytes | None:
        """Return the content of an object, or None if there is no such object.

        Raises:
            StoreError: the store does not answer.
        """
        with TemporaryDirectory() as folder:
            found, copy = self._find(path), Path(folder) / "copy"
            with _in_one_line(found.query):
                if not found.exists():
                    return None
                found.set_local_path(copy)
                found.retrieve_object()
            return copy.read_bytes()

    def _find(self, path: str) -> StoredObject:
        return self._find_at(f"{self._address}/{path}")

    def _list(self, folder: str) -> frozenset[str] | None:
        """Return the names of all objects in a folder, or None if the store makes no lists."""
        probe, listed = self._find(f"{folder}/probe"), SimpleNamespace(exists_in_storage={}, mtime={}, size={})
        with _in_one_line(self._address):
            # The inventory of a store that cannot be reached is empty, whereas this question fails.
            probe.exists()
            self._wait(probe.inventory(listed))
        known: dict[str, bool] = listed.exists_in_storage
        # A store that does not exist has no objects.
        is_complete = known.get(str(probe.get_inventory_parent())) or known.get(probe.cache_key()) is False
        return frozenset(name for name, exists in known.items() if exists) if is_complete else None


def open_store(workflow: Any) -> ObjectStore | None:
    """Return the store in which a call of Snakemake keeps its files, or None if they lie in the working folder."""
    provider = workflow.storage_registry.default_storage_provider
    if provider is None:
        return None
    address = (workflow.storage_settings.default_storage_prefix or "").rstrip("/")
    return ObjectStore(address, provider.object, workflow.async_run)


def check_data_travels(runs: Iterable[RunSettings]) -> None:
    """Check that a machine that sees only the store can read the images of runs.

    Raises:
        SettingError: the cache of the images would lie outside of the store, or is valid only beside its source files.
    """
    for settings in runs:
        folder, dataset = settings.execution.data_dir, settings.dataset
        if not folder.is_absolute() and ".." in folder.parts:
            raise SettingError(
                f"execution.data_dir: {str(folder)!r} is not allowed with an object store; allowed: a folder below the "
                "working folder, which is kept in the store, or an absolute path, which each machine has for itself"
            )
        if not dataset.is_pinned():
            raise SettingError(
                f"dataset: {dataset.name!r} is not allowed with an object store without content_sha256, because other "
                "machines do not see its files; `python -m anytime_pruning prepare` prints it"
            )


@contextmanager
def _in_one_line(query: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each plugin has its own exceptions
        raise StoreError(f"{query}: the object store does not answer: {error}") from None
