"""Tests that the state file gives back what was written, and that no file can stop the start."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter import state_file, state_format
from exporter.history import History
from exporter.state_file import InUseError, Saved, SetAside, StateFile, StateFileError
from exporter.state_format import FORMAT, VERSION
from tests.support.histories import FLEETS

URL, NOW, DAY = "https://api.example", 1_788_220_800.0, 86_400.0
SOME = {"a": History(failing_since={"state": NOW}), "b": History()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture(scope="module")
def shared_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One path for all examples of a property."""
    return tmp_path_factory.mktemp("property") / "state"


def written(path: Path, histories: dict[str, History] = SOME) -> bytes:
    StateFile(path).write(histories.items(), URL, NOW)
    return path.read_bytes()


def read(path: Path, now: float = NOW) -> Saved:
    return StateFile(path).read(URL, now)


def names(path: Path) -> set[str]:
    return {each.name for each in path.parent.iterdir()}


# What is written can be read


@given(FLEETS)
def test_any_histories_are_read_as_they_were_written(shared_path: Path, histories: dict[str, History]) -> None:
    written(shared_path, histories)
    assert read(shared_path) == Saved(histories, NOW)


@given(FLEETS, st.sampled_from([-1e12, -10.0]))
def test_histories_can_be_written_after_any_change_of_the_clock(
    shared_path: Path, histories: dict[str, History], seconds: float
) -> None:
    changed = {ident: history.after_clock_change(seconds) for ident, history in histories.items()}
    assert StateFile(shared_path).write(changed.items(), URL, NOW) == []
    assert read(shared_path).histories == changed


def test_without_a_file_nothing_is_restored_and_nothing_is_wrong(path: Path) -> None:
    assert read(path) == Saved()


def test_the_file_says_what_it_is_and_where_it_ends(path: Path) -> None:
    first, *tenants, last = map(json.loads, written(path).splitlines())
    assert first == {"format": "kimono-exporter state", "version": 1, "saved_at": NOW, "api_url": URL}
    assert [each["id"] for each in tenants] == ["a", "b"]
    assert last == {"tenants": 2}


# What can't be used is set aside


def changed(**header: object) -> bytes:
    first = {"format": FORMAT, "version": VERSION, "saved_at": NOW, "api_url": URL, **header}
    return json.dumps(first).encode() + b'\n{"tenants":0}\n'


def with_tenants(*lines: str, count: int | None = None) -> bytes:
    first, _ = changed().splitlines()
    return b"\n".join([first, *(line.encode() for line in lines), b'{"tenants":%d}\n' % (count or len(lines))])


def with_failing_since(text: str) -> bytes:
    return with_tenants('{"id":"a","history":{"failing_since":{"state":NUMBER}}}'.replace("NUMBER", text))


def with_count(text: str) -> bytes:
    return with_tenants('{"id":"a","history":{"ingestions":{"finished":{"a b":NUMBER}}}}'.replace("NUMBER", text))


def test_a_file_made_by_hand_is_accepted(path: Path) -> None:
    """So that the refused ones below are refused for what is wrong with them."""
    for content in (changed(), with_tenants('{"id":"a","history":{}}'), with_failing_since("1.5"), with_count("3")):
        path.write_bytes(content)
        assert read(path).set_aside is None


TENANT = '{"id":"a","history":{}}'
NOT_USED = {
    "empty": ("damaged", b"", "truncated"),
    "not JSON": ("damaged", b"hello\n", "line 1 is not valid"),
    "not UTF-8": ("damaged", b"\xff\xfe\n", "line 1 is not valid"),
    "another format": ("foreign", changed(format="other"), "not a state file of kimono-exporter"),
    "a newer version": ("newer", changed(version=VERSION + 1), "a newer version of the exporter wrote it"),
    "a newer version without our header": ("newer", b'{"format":"%s","version":2}\n' % FORMAT.encode(), "newer"),
    "no version": ("damaged", changed(version=None), "line 1 is not valid"),
    "version 0": ("damaged", changed(version=0), "line 1 is not valid"),
    "another API": ("foreign", changed(api_url="https://other.example"), "another api.url"),
    "older than a week": ("old", changed(saved_at=NOW - 8 * DAY), "8 days ago"),
    "no time": ("damaged", changed(saved_at="now"), "line 1 is not valid"),
    "saved after the year 9999": ("damaged", changed(saved_at=1e12), "line 1 is not valid"),
    "saved before 1970": ("damaged", changed(saved_at=-1.0), "line 1 is not valid"),
    "an infinite time": ("damaged", changed(saved_at=float("inf")), "line 1 is not valid"),
    "text for a number": ("damaged", with_failing_since('"1.5"'), "line 2 is not valid"),
    "a boolean for a number": ("damaged", with_failing_since("true"), "line 2 is not valid"),
    "NaN": ("damaged", with_failing_since("NaN"), "line 2 is not valid"),
    "infinity": ("damaged", with_failing_since("1e400"), "line 2 is not valid"),
    "a time after the year 9999": ("damaged", with_failing_since("1e300"), "line 2 is not valid"),
    "a time before 1970": ("damaged", with_failing_since("-1"), "line 2 is not valid"),
    "a huge count": ("damaged", with_count("9" * 400), "line 2 is not valid"),
    "a count of 5000 digits": ("damaged", with_count("9" * 5000), "line 2 is not valid"),
    "a fraction for a count": ("damaged", with_count("1.5"), "line 2 is not valid"),
    "deep nesting": ("damaged", with_failing_since("[" * 100_000), "line 2 is not valid"),
    "half a surrogate pair": ("damaged", with_tenants(r'{"id":"\ud800","history":{}}'), "line 2 is not valid"),
    "no id": ("damaged", with_tenants('{"id":"","history":{}}'), "line 2 is not valid"),
    "no history": ("damaged", with_tenants('{"id":"a"}'), "line 2 is not valid"),
    "a tenant twice": ("damaged", with_tenants(TENANT, TENANT), "line 3 repeats a tenant"),
    "another count": ("damaged", with_tenants(TENANT, count=2), "line 3 is not the end"),
    "more after the end": ("damaged", with_tenants(TENANT) + b"\n", "line 3 is not the end"),
    "an empty line": ("damaged", with_tenants(TENANT, ""), "line 3 is not valid"),
}


@pytest.mark.parametrize(("kind", "content", "reason"), NOT_USED.values(), ids=NOT_USED)
def test_a_file_that_can_not_be_used_is_set_aside_with_the_reason(
    kind: str, content: bytes, reason: str, path: Path
) -> None:
    path.write_bytes(content)
    saved = read(path)
    assert (saved.histories, saved.at) == ({}, None)
    assert saved.set_aside is not None
    assert reason in saved.set_aside.reason
    assert saved.set_aside.path == path.with_name(f"state.{kind}")
    assert saved.set_aside.path.read_bytes() == content
    assert names(path) == {f"state.{kind}"}


def test_a_file_without_its_end_is_set_aside_wherever_it_was_cut(path: Path) -> None:
    content = written(path)
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert read(path).set_aside is not None, content[:length]


@given(content=st.binary(max_size=100))
@example(b'{"tenants":0}\n')
def test_no_bytes_stop_the_start(shared_path: Path, content: bytes) -> None:
    shared_path.write_bytes(content)
    assert read(shared_path).histories == {}


@given(FLEETS, st.integers(0), st.integers(0, 3), st.binary(max_size=3))
def test_no_damage_of_a_good_file_stops_the_start(
    shared_path: Path, histories: dict[str, History], place: int, removed: int, added: bytes
) -> None:
    content = written(shared_path, histories)
    place %= len(content)
    shared_path.write_bytes(content[:place] + added + content[place + removed :])
    saved = read(shared_path)
    assert saved.set_aside is None or saved.histories == {}


def test_of_each_kind_the_newest_file_is_kept(path: Path) -> None:
    for content in (b"first\n", b"second\n"):
        path.write_bytes(content)
        read(path)
    path.write_bytes(changed(version=2))
    read(path)
    assert names(path) == {"state.damaged", "state.newer"}
    assert path.with_name("state.damaged").read_bytes() == b"second\n"


def test_a_file_that_can_not_be_moved_does_not_stop_the_start(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"damaged")
    monkeypatch.setattr(Path, "replace", fail_with(errno.EACCES))
    saved = read(path)
    assert saved.histories == {}
    assert saved.set_aside is not None
    assert saved.set_aside.path == path


def test_an_error_of_the_disk_or_of_our_own_does_not_stop_the_start(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons = []
    for error in (OSError(errno.EIO, "Input/output error"), KeyError("S3CR3T")):
        path.write_bytes(changed())
        monkeypatch.setattr(state_file, "parse", raises(error))
        saved = read(path)
        assert saved.set_aside is not None
        reasons.append(saved.set_aside.reason)
    assert reasons[0] == "Input/output error"
    assert reasons[1].startswith("internal error: KeyError at ")


def test_a_file_of_a_week_is_used_and_so_is_one_of_the_future(path: Path) -> None:
    """The clock may have been set back."""
    written(path)
    assert read(path, NOW + 7 * DAY).histories == SOME
    assert read(path, NOW - 365 * DAY).histories == SOME


# Bounds


def test_more_tenants_than_the_bound_are_neither_written_nor_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = written(path)
    monkeypatch.setattr(state_format, "MOST_TENANTS", 1)
    with pytest.raises(OSError, match="File too large"):
        written(path)
    assert path.read_bytes() == content
    assert read(path).set_aside is not None


def test_a_file_that_is_too_large_is_neither_written_nor_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = written(path)
    monkeypatch.setattr(state_format, "_MOST_BYTES", len(content))
    assert read(path).histories == SOME
    assert written(path) == content
    monkeypatch.setattr(state_format, "_MOST_BYTES", len(content) // 2)
    with pytest.raises(OSError, match="File too large"):
        written(path)
    assert read(path).set_aside is not None


def test_a_history_that_is_too_large_affects_no_other_tenant(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    longest = max(map(len, written(path).splitlines(keepends=True)))
    monkeypatch.setattr(state_format, "_LONGEST_LINE", longest)
    assert read(path).histories == SOME
    monkeypatch.setattr(state_format, "_LONGEST_LINE", longest - 1)
    assert StateFile(path).write(SOME.items(), URL, NOW) == ["a"]
    assert read(path).histories == {"b": SOME["b"]}
    monkeypatch.setattr(state_format, "_LONGEST_LINE", 2**24)
    written(path)
    monkeypatch.setattr(state_format, "_LONGEST_LINE", longest - 1)
    assert read(path).set_aside is not None


def test_a_history_that_json_can_not_have_affects_no_other_tenant(path: Path) -> None:
    assert StateFile(path).write({**SOME, "half \ud800": History()}.items(), URL, NOW) == ["half \ud800"]
    assert read(path).histories == SOME


# Writing


def fail_with(number: int) -> Callable[..., Any]:
    return raises(OSError(number, os.strerror(number)))


def raises(error: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o277])
def test_only_its_owner_can_read_and_write_the_file_whatever_the_umask(mask: int, path: Path) -> None:
    with umask(mask):
        written(path)
    assert mode(path) == 0o600


def test_nobody_else_can_read_it_at_any_moment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    monkeypatch.setattr(os, "fchmod", lambda descriptor, _: modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode)))
    left = path.with_name("state.tmp")
    left.write_text("from a process that was killed")
    left.chmod(0o666)
    with umask(0):
        written(path)
    assert modes == [0o600]
    assert names(path) == {"state"}


@pytest.mark.parametrize("call", ["fsync", "open"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    call: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = written(path)
    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail_with(errno.ENOSPC))
        with pytest.raises(OSError, match="No space left"):
            written(path, {})
    assert path.read_bytes() == content
    assert names(path) == {"state"}


def test_a_folder_that_is_gone_is_an_error_and_works_again_once_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "state"
    with pytest.raises(FileNotFoundError):
        written(path)
    path.parent.mkdir()
    written(path)
    assert read(path).histories == SOME


def test_a_file_system_that_can_not_sync_a_folder_will_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    written(path)
    assert read(path).histories == SOME


def test_a_link_to_the_file_stays_a_link(path: Path) -> None:
    target = path.with_name("target")
    path.symlink_to(target)
    written(path)
    assert path.is_symlink()
    assert read(target).histories == SOME


# The lock


def test_of_two_exporters_one_gets_the_file(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    first, second, third = StateFile(path), StateFile(path), StateFile(link)
    assert first.lock()
    written(path)
    assert not second.lock()
    assert not third.lock(), "it is the same file by another name"
    first.unlock()
    assert second.lock()
    second.unlock()
    second.unlock()


def test_a_lock_that_is_stale_is_taken_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its state can be told nor can it be closed without an error, as on a network file system."""
    file = StateFile(path)
    assert file.lock()
    stale = file._lock
    for name in ("fstat", "close"):
        real = getattr(os, name)

        def fail_if_stale(descriptor: int, real: Callable[[int], Any] = real, name: str = name) -> Any:
            if descriptor != stale or (name == "fstat" and file._lock != stale):
                return real(descriptor)
            if name == "close":
                real(descriptor)
            raise OSError(errno.ESTALE, "Stale file handle")

        monkeypatch.setattr(os, name, fail_if_stale)
    assert file.write(SOME.items(), URL, NOW) == []
    monkeypatch.undo()
    assert read(path).histories == SOME
    assert not StateFile(path).lock(), "it is locked again"
    file.unlock()


def test_a_lock_leaves_an_empty_file_that_only_its_owner_can_read(path: Path) -> None:
    file = StateFile(path)
    with umask(0):
        assert file.lock()
    file.unlock()
    assert names(path) == {"state.lock"}
    assert mode(path.with_name("state.lock")) == 0o600


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


def a_loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (a_folder, "it is a folder"),
        (a_pipe, "it is not a regular file"),
        (a_socket, "it is not a regular file"),
        (a_loop, "Too many levels of symbolic links"),
    ],
)
def test_what_is_no_regular_file_is_refused(make: Callable[[Path], None], reason: str, path: Path) -> None:
    make(path)
    with pytest.raises(StateFileError, match=f"can't use '.*/state': {reason}"):
        StateFile(path).lock()


@pytest.mark.parametrize("name", ["missing/state", "a file/state"])
def test_a_folder_that_is_not_there_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(StateFileError, match=r"there is no folder '.*'; create it"):
        StateFile(tmp_path / name).lock()


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StateFileError, match="File name too long"):
        StateFile(tmp_path / ("x" * 253)).lock()


def test_a_folder_that_can_not_be_written_is_refused() -> None:
    with pytest.raises(StateFileError, match="can't use '/proc/state': "):
        StateFile(Path("/proc/state")).lock()


def test_a_folder_that_became_read_only_is_refused_and_the_lock_released(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.with_name("state.lock").touch()
    file = StateFile(path)
    with monkeypatch.context() as patched:
        patched.setattr(file, "_create_temporary", fail_with(errno.EROFS))
        with pytest.raises(StateFileError, match="Read-only file system"):
            file.lock()
    assert StateFile(path).lock()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(path: Path) -> None:
    written(path)
    path.chmod(0)
    with pytest.raises(StateFileError, match="Permission denied"):
        StateFile(path).lock()


def test_a_file_system_without_locks_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcntl.flock", fail_with(errno.ENOLCK))
    with pytest.raises(StateFileError, match="No locks available"):
        StateFile(path).lock()


def test_a_full_disk_does_not_stop_the_start(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have room later, and nobody else watches the tenants until then."""
    file = StateFile(path)
    with monkeypatch.context() as patched:
        patched.setattr(file, "_create_temporary", fail_with(errno.ENOSPC))
        assert file.lock()
    assert not StateFile(path).lock()
    file.write(SOME.items(), URL, NOW)
    assert read(path).histories == SOME


def test_a_lock_whose_file_was_removed_is_taken_again(path: Path) -> None:
    first, second = StateFile(path), StateFile(path)
    assert first.lock()
    path.with_name("state.lock").unlink()
    first.write(SOME.items(), URL, NOW)
    assert not second.lock()
    first.unlock()
    assert second.lock()


def test_without_the_lock_nothing_is_written_until_it_is_free_again(path: Path) -> None:
    first, second = StateFile(path), StateFile(path)
    assert first.lock()
    path.with_name("state.lock").unlink()
    assert second.lock(), "the file of the lock is a new one"
    second.write([("theirs", History())], URL, NOW)
    for _ in range(2):
        with pytest.raises(InUseError, match="another exporter uses it"):
            first.write(SOME.items(), URL, NOW)
    assert read(path).histories == {"theirs": History()}
    second.unlock()
    first.write(SOME.items(), URL, NOW)
    assert read(path).histories == SOME
    assert not second.lock()


def test_a_folder_that_was_removed_and_is_back_is_locked_again(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "state"
    path.parent.mkdir()
    file = StateFile(path)
    assert file.lock()
    shutil.rmtree(path.parent)
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            file.write(SOME.items(), URL, NOW)
    path.parent.mkdir()
    file.write(SOME.items(), URL, NOW)
    assert not StateFile(path).lock()


# While it runs


@pytest.mark.parametrize("make", [a_pipe, a_socket, a_loop, lambda path: path.symlink_to(os.devnull)])
def test_what_replaces_the_file_while_it_runs_is_replaced_by_it(make: Callable[[Path], None], path: Path) -> None:
    file = StateFile(path)
    assert file.lock()
    make(path)
    file.write(SOME.items(), URL, NOW)
    assert stat.S_ISREG(path.lstat().st_mode)
    assert read(path).histories == SOME
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_a_folder_in_the_place_of_the_file_is_an_error_and_leaves_nothing_behind(path: Path) -> None:
    file = StateFile(path)
    assert file.lock()
    path.mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        file.write(SOME.items(), URL, NOW)
    assert StateFile(path).cause(caught.value) == "Is a directory"
    assert names(path) == {"state", "state.lock"}


@pytest.mark.parametrize("ending", ["tmp", "lock"])
def test_the_error_names_the_file_beside_it_that_is_wrong(ending: str, path: Path) -> None:
    beside = path.with_name(f"state.{ending}")
    beside.mkdir()
    with pytest.raises(StateFileError, match=rf"can't use '.*/state': Is a directory \(.*/state\.{ending}\)"):
        StateFile(path).lock()


@pytest.mark.parametrize("limit", [0, 100])
def test_a_limit_of_the_file_size_leaves_the_old_file_and_nothing_else(limit: int, path: Path) -> None:
    content = written(path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            written(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == content
    assert names(path) == {"state"}


def test_a_file_system_that_can_not_change_modes_leaks_no_descriptor(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fchmod", fail_with(errno.EPERM))
    before = len([*Path("/proc/self/fd").iterdir()])
    for _ in range(5):
        with pytest.raises(PermissionError):
            written(path)
        with pytest.raises(StateFileError, match="Operation not permitted"):
            StateFile(path).lock()
    assert len([*Path("/proc/self/fd").iterdir()]) == before
    assert names(path) == {"state.lock"}


def test_a_huge_file_is_set_aside_without_being_read(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**31)
    assert read(path) == Saved(set_aside=SetAside("it is too large", path.with_name("state.damaged")))


# Looking at it


def test_a_look_at_the_file_gives_what_it_has_and_changes_nothing(path: Path) -> None:
    assert StateFile(path).peek(URL, NOW) == Saved()
    written(path)
    other = StateFile(path)
    assert other.lock()
    before = names(path)
    assert StateFile(path).peek(URL, NOW) == Saved(SOME, NOW)
    assert names(path) == before


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b"damaged"), "it is truncated, or a line is too long"),
        (a_folder, "it is a folder"),
        (a_pipe, "it is not a regular file"),
        (a_loop, "Too many levels of symbolic links"),
    ],
)
def test_a_look_at_what_can_not_be_used_says_why(make: Callable[[Path], object], reason: str, path: Path) -> None:
    make(path)
    with pytest.raises(StateFileError, match=f"can't use '.*/state': {reason}"):
        StateFile(path).peek(URL, NOW)
    assert names(path) == {"state"}


def test_an_internal_error_during_a_look_at_the_file_says_what_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = written(path)
    monkeypatch.setattr(state_file, "parse", raises(KeyError("S3CR3T")))
    with pytest.raises(StateFileError, match=r"can't use '.*/state': internal error: KeyError at "):
        StateFile(path).peek(URL, NOW)
    assert path.read_bytes() == content


def test_a_pipe_that_replaces_the_file_before_it_is_read_is_not_waited_for(path: Path) -> None:
    a_pipe(path)
    saved = read(path)
    assert saved.set_aside is not None
    assert saved.set_aside.reason == "it is not a regular file"
