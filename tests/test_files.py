"""Tests that files are read strictly, and that an unusable file gives its fault and place, and none of its text."""

from __future__ import annotations

import errno
import importlib.util
import itertools
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter import files
from exporter.files import FileError, FileTimeoutError, read_secret, read_text, read_yaml
from tests.support.hanging_files import let_pipes_hang

SECRET = "hunter2-do-not-show"

Read = Callable[[str], object]


@pytest.fixture(name="read", params=["libyaml", "Python"])
def _read(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """`read_yaml` of a text, and its error's reason where there is one; with and without libyaml."""
    if request.param == "Python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    spec = importlib.util.spec_from_file_location("files_under_test", files.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def read(text: str) -> object:
        path = tmp_path / "file.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            return module.read_yaml(path)
        except module.FileError as error:
            refused = error
        assert SECRET not in str(refused) + repr(refused)
        assert refused.__cause__ is None
        assert str(refused) == f"can't read '{path}': {refused.reason}"
        return refused.reason

    return read


# YAML


def test_a_document_is_what_yaml_says(read: Read) -> None:
    assert read("a: [1, 2.5, true, null, text]\nb: {c: d}\n") == {"a": [1, 2.5, True, None, "text"], "b": {"c": "d"}}
    assert read("") is None
    assert read("# nothing\n") is None


def test_merge_keys_fill_what_is_not_written(read: Read) -> None:
    text = "base: &base {a: 1, b: 2}\nother: {<<: *base, b: 3}\nlater: {b: 4, <<: *base}\n"

    assert read(text) == {"base": {"a": 1, "b": 2}, "other": {"a": 1, "b": 3}, "later": {"a": 1, "b": 4}}


def test_the_first_of_several_merged_mappings_wins(read: Read) -> None:
    text = "a: &a {k: 1}\nb: &b {k: 2, m: 3}\nboth: {<<: [*a, *b]}\n"

    assert read(text) == {"a": {"k": 1}, "b": {"k": 2, "m": 3}, "both": {"k": 1, "m": 3}}


def test_a_merged_mapping_that_merges_and_overrides_itself_is_no_duplicate(read: Read) -> None:
    text = "base: &base {k: 1}\nx:\n  y: &inner {<<: *base, k: 2}\nz: {<<: *inner}\n"

    assert read(text) == {"base": {"k": 1}, "x": {"y": {"k": 2}}, "z": {"k": 2}}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"a: {SECRET}\na: 2\n", "line 2, column 1"),
        ("x:\n  a: 1\n  'a': 2\n", "line 3, column 3"),
        ("{1: a, 0x1: b}", "line 1, column 8"),
        ("{yes: a, true: b}", "line 1, column 10"),
        ("a: &a {k: 1}\nb:\n  <<: *a\n  <<: *a\n", "line 4, column 3"),
        ("b: {<<: {k: 1, k: 2}}", "line 1, column 16"),
        ("- {k: 1}\n- {=: 1, =: 2}\n", "line 2, column 10"),
    ],
)
def test_a_duplicate_key_is_refused(text: str, place: str, read: Read) -> None:
    assert read(text) == f"a duplicate key at {place}"


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "a: *none",
        f"? [1]\n: {SECRET}\n? [1]\n: 3\n",
        f"- a\n{SECRET}: b\n",
        f"!{SECRET} x",
        "--- a\n--- b\n",
        "a: 2024-99-99",
        "!!bool maybe",
        "!!int ''",
        "!!timestamp never",
        "!!float x",
        "!!seq x: 1",
        "? !!map x\n: 1",
        "&a {*a : 1}",
        "1" * 5000,
        ":".join(["1", *["59"] * 500]) + ".5",
        "\0",
        "\x07",
        "<<: 1",
        "&a\n<<: *a\n<<: 1\n",
    ],
)
def test_what_is_not_yaml_or_has_no_value_is_refused(text: str, read: Read) -> None:
    assert str(read(text)).startswith(("it is not valid YAML", "a duplicate key"))


@pytest.mark.parametrize("text", ["[" * 500 + "]" * 500, "[" * 100_000, "- " * 500 + "x", "{a: " * 500 + "}" * 500])
def test_deep_nesting_is_refused_before_it_exhausts_the_stack(text: str, read: Read) -> None:
    assert str(read(text)).startswith("it nests too deep at line 1, column ")


def test_nesting_up_to_the_limit_is_fine(read: Read) -> None:
    assert isinstance(read("[" * files.MAX_NESTING + "]" * files.MAX_NESTING), list)
    assert isinstance(read("[" * (files.MAX_NESTING + 1) + "]" * (files.MAX_NESTING + 1)), str)


def test_a_mapping_that_merges_itself_ends(read: Read) -> None:
    assert read("a: &a {k: 1, <<: *a}") == {"a": {"k": 1}}


SNIPPETS = st.sampled_from(
    ["a", "1", ": ", "- ", "? ", "{", "}", "[", "]", ", ", "\n", "\n  ", "<<", "=", "&a ", "*a ", "*a : ", "'", "|\n"]
    + [f"!!{tag} " for tag in ("bool", "int", "float", "timestamp", "binary", "null", "seq", "map", "set", "omap")]
    + ["!!pairs ", "!!str ", "!x ", "--- ", "2001-01-01", "1:61", "0x", ".inf", "~", "%YAML 9.9\n", "#"]
)


@given(st.lists(SNIPPETS, max_size=14).map("".join) | st.text())
def test_any_text_gives_a_value_or_a_file_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any_text.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        read_yaml(path)
        shown = ""
    except FileError as error:
        shown = str(error)
    assert len(shown.splitlines()) <= 1


# Text and secrets


def test_text_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"\xef\xbb\xbfa\xc3\xa9\n")

    assert read_text(tmp_path / "text") == "aé\n"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("none", "No such file or directory"), ("", "Is a directory"), ("a\0b", "it is not a path")],
)
def test_what_is_no_file_is_named(name: str, reason: str, tmp_path: Path) -> None:
    for read in (read_text, read_secret, read_yaml):
        with pytest.raises(FileError) as caught:
            read(tmp_path / name)
        assert (caught.value.path, caught.value.reason) == (tmp_path / name, reason)
        assert "\0" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b" \n\t", "it is empty"),
        (SECRET.encode() + b"\nmore", "it has more than one line, or a control character"),
        (SECRET.encode() + b"\x07x", "it has more than one line, or a control character"),
        (SECRET.encode() + b"\xff", "it is not UTF-8 text"),
    ],
)
def test_a_secret_is_one_line_of_text(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        read_secret(path)

    assert caught.value.reason == reason
    assert SECRET not in str(caught.value) + repr(caught.value)
    assert caught.value.__context__ is None

    path.write_bytes(SECRET.encode() + b" \r\n")
    assert read_secret(path) == SECRET


def test_merge_keys_can_not_multiply_without_end(read: Read) -> None:
    doubled = ["a0: &a0 {k0: 1}", *(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 60))]
    keys = ", ".join(f"k{n}: 1" for n in range(files.MAX_KEYS - 1))
    assert str(read("\n".join(doubled))).startswith("it has too many values at line ")
    assert str(read(f"a: &a {{{keys}}}\nb: {{x: 1, y: 2, <<: *a}}\n")).startswith("it merges too many keys at line 2")


@pytest.mark.parametrize("form", ["{}", "{{<<: {{a: 1}}, {}}}", "b: {{{}}}"])
def test_a_mapping_has_a_bounded_number_of_keys(form: str, read: Read) -> None:
    keys = [f"k{n}: 1" for n in range(files.MAX_KEYS + 1)]
    form, between = (form, ", ") if "{{" in form else (form, "\n")
    assert str(read(form.format(between.join(keys)) + "\n")).startswith("it has too many keys at line 1")
    assert isinstance(read(form.format(between.join(keys[:-2])) + "\n"), dict)


# Anchors and merge keys as people write them, and values as alias bombs


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("s: &a {interval: 30s}\ni: {<<: *a}\n", {"s": {"interval": "30s"}, "i": {"interval": "30s"}}),
        ("s: &a\n  interval: 30s\ni: *a\n", {"s": {"interval": "30s"}, "i": {"interval": "30s"}}),
        ("a: &a {x: 1}\nb: &b {y: 2}\nc:\n  <<: [*a, *b]\n  z: 3\n", {"a": {"x": 1}, "b": {"y": 2}, "c": ...}),
        ("i: &i 30s\na: {interval: *i}\n", {"i": "30s", "a": {"interval": "30s"}}),
        ("a: &a {x: 1}\nb:\n  <<:\n    - *a\n  x: 2\n", {"a": {"x": 1}, "b": {"x": 2}}),
        ("a: {<<: []}\nb: {<<: {x: 1}}\n", {"a": {}, "b": {"x": 1}}),
        ("%YAML 1.1\n---\r\na: 1\r\n...\r\n", {"a": 1}),
    ],
)
def test_anchors_and_merge_keys_are_read_as_people_write_them(text: str, value: dict[str, Any], read: Read) -> None:
    found = read(text)
    assert isinstance(found, dict), found
    for name, expected in value.items():
        assert found[name] == ({"x": 1, "y": 2, "z": 3} if expected is ... else expected)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"


@pytest.mark.parametrize(
    "text",
    [
        BOMB + "\n".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]" for a, b in itertools.pairwise("abcdefgh")),
        BOMB + "\n".join(f"{b}: &{b} {{p: *{a}, q: *{a}}}" for a, b in itertools.pairwise("abcdefghijklmnopqrstuvw")),
        "a: &a {x: 1}\nb: [" + "*a, " * files.MAX_NODES + "]",
        "[" + "1," * files.MAX_NODES + "]",
        "- " * 50 + "\n" + "- 1\n" * files.MAX_NODES,
    ],
)
def test_a_file_that_grows_when_it_is_read_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "file.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(FileError, match="it has too many values at line"):
        read_yaml(tmp_path / "file.yaml")


# Files that are no files, and files that hang


def test_a_pipe_and_a_device_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "silent")
    os.mkfifo(tmp_path / "pipe")
    writer = os.open(tmp_path / "pipe", os.O_RDWR)
    os.write(writer, SECRET.encode())
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for path in (
            tmp_path / "silent",
            tmp_path / "pipe",
            Path("/dev/zero"),
            Path("/dev/null"),
            Path(f"/dev/fd/{writer}"),
        ):
            with pytest.raises(FileError, match="it is not a regular file"):
                read_secret(path)
        with pytest.raises(FileError, match="No such device or address"):
            read_secret(tmp_path / "socket")
    os.close(writer)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(FileError, match="it is larger than 16 MiB"):
        read_text(tmp_path / "large")


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that hangs."""
    let_pipes_hang(monkeypatch)
    monkeypatch.setattr(files, "READ_SECONDS", 0.05)
    path = tmp_path / "hangs"
    os.mkfifo(path)
    yield path
    os.close(os.open(path, os.O_RDWR))  # the thread that waits for it ends


def test_a_file_that_hangs_is_given_up_and_takes_one_thread_only(pipe: Path) -> None:
    before = threading.active_count()
    for _ in range(5):
        with pytest.raises(FileTimeoutError) as caught:
            read_secret(pipe)
        assert str(caught.value) == f"can't read '{pipe}': it did not respond within 0.05 s"
    assert threading.active_count() == before + 1


def test_a_file_that_no_longer_hangs_is_read_as_it_is_now(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileTimeoutError):
        read_secret(pipe)
    monkeypatch.setattr(files, "READ_SECONDS", 30.0)
    writer = os.open(pipe, os.O_WRONLY)
    pipe.unlink()
    pipe.write_text("new", encoding="utf-8")
    os.close(writer)
    files._reading[pipe].content.exception(30)
    assert read_secret(pipe) == "new"
    os.mkfifo(pipe.with_name("other"))
    pipe.unlink()
    pipe.with_name("other").rename(pipe)


def test_a_read_that_hangs_for_ever_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a disk that was replaced: its thread never ends. The more reads hang, the longer until the next one."""
    now, begun, gone = 0.0, [], threading.Event()

    def hangs(_: Path) -> bytes:
        begun.append(now)
        gone.wait()
        return b"old"

    monkeypatch.setattr(files, "READ_SECONDS", 0.01)
    monkeypatch.setattr(files, "monotonic", lambda: now)
    path = tmp_path / "secret"
    path.write_text("new", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(files, "_read_regular", hangs)
        for _ in range(100):
            with pytest.raises(FileTimeoutError):
                read_secret(path)
            now += 10
    assert begun == [0, 60, 180, 420, 900]
    monkeypatch.setattr(files, "READ_SECONDS", 30.0)
    now = 900 + 16 * 60
    assert read_secret(path) == "new"
    assert path not in files._reading
    gone.set()


def test_a_file_system_that_gives_up_is_a_timeout_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gives_up(*_: object) -> int:
        raise OSError(errno.ETIMEDOUT, "Connection timed out")

    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")
    monkeypatch.setattr(os, "open", gives_up)
    with pytest.raises(FileTimeoutError, match="secret': Connection timed out"):
        read_secret(tmp_path / "secret")


def test_nothing_that_was_read_is_kept(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")
    read_secret(tmp_path / "secret")
    assert tmp_path / "secret" not in files._reading


def test_a_system_without_threads_is_an_error_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    with pytest.raises(FileError, match="the system has no thread left to read it"):
        read_secret(tmp_path / "secret")


# Secrets as paths


@pytest.mark.parametrize(
    "misplaced",
    [
        SECRET,
        f"{SECRET}/x+y==",
        f"/{SECRET}",
        f"https://user:{SECRET}@api.example/",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n",
        f'{{"key": "{SECRET}"}}',
        SECRET * 100,
        f"~/{SECRET}",
    ],
)
def test_a_secret_in_place_of_a_path_is_not_shown(misplaced: str) -> None:
    with pytest.raises(FileError) as caught:
        read_secret(Path(misplaced))
    assert SECRET not in str(caught.value)
    assert "its name is not shown" in str(caught.value)
    assert "No such file" in str(caught.value) or "too long" in str(caught.value)


def test_a_path_is_shown_if_its_folder_exists_or_it_looks_like_a_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none", Path("none.yaml"), Path("/nowhere/none.yml")):
        with pytest.raises(FileError, match=f"can't read '{path}': No such file"):
            read_text(path)
