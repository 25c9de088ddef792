"""Files: what cannot be read or written says so in one line, and nothing is overwritten unasked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspace.errors import FileError
from archspace.files import check_writable, make_folder, read_json, read_text, write_text


def message(call: Callable[[], object]) -> str:
    with pytest.raises(FileError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_text_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "größer ≤ 1\n")
    assert read_text(path) == read_text(str(path)) == "größer ≤ 1\n"


def test_a_missing_file_and_a_folder_cannot_be_read(tmp_path: Path) -> None:
    assert message(lambda: read_text(tmp_path / "none")) == f"{tmp_path / 'none'}: cannot be read: No such file or directory"
    assert message(lambda: read_text(tmp_path)) == f"{tmp_path}: cannot be read: Is a directory"


def test_bytes_that_are_not_utf8_are_located(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("abc é".encode("latin-1"))  # the é is byte 4
    assert message(lambda: read_text(path)) == f"{path}: a text file must be UTF-8, but byte 4 is not. Save it as UTF-8."


def test_json_is_read_as_values_and_other_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": [1, 2.5, null]}')
    assert read_json(path) == {"a": [1, 2.5, None]}
    for text in ("", "{", "[1,]", "archspace", "[" * 100_000):
        path.write_text(text)
        assert message(lambda: read_json(path)).startswith(f"{path}: must be JSON, but is not: ")


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "first")
    assert "nothing is overwritten unasked. Name another file or give --force." in message(lambda: write_text(path, "second"))
    assert path.read_text() == "first"
    write_text(path, "second", force=True)
    assert path.read_text() == "second"


def test_a_folder_is_no_output_file_even_when_forced(tmp_path: Path) -> None:
    assert "this is a folder" in message(lambda: write_text(tmp_path, "x", force=True))


def test_a_file_is_not_written_into_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "none" / "a.txt"
    assert message(lambda: write_text(path, "x")) == f"{path}: its folder {path.parent} must exist, but does not. Make it first."
    assert not path.parent.exists()


def test_a_free_path_is_returned_and_not_made(tmp_path: Path) -> None:
    assert check_writable(str(tmp_path / "a.txt")) == tmp_path / "a.txt"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that refuses writes")
def test_a_refused_write_says_why() -> None:
    assert message(lambda: write_text("/dev/full", "x", force=True)) == "/dev/full: cannot be written: No space left on device"


def test_a_folder_is_made_with_its_parents_and_once_more_without_complaint(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert make_folder(tmp_path / "a" / "b").is_dir()


def test_a_folder_cannot_be_made_where_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    assert message(lambda: make_folder(tmp_path / "a")) == f"{tmp_path / 'a'}: cannot be made: File exists"
    assert "cannot be made: Not a directory" in message(lambda: make_folder(tmp_path / "a" / "b"))


@pytest.mark.parametrize("call", [read_text, read_json, check_writable, make_folder, lambda path: write_text(path, "x")])
def test_a_name_too_long_for_the_system_is_one_line_too(call: Callable[[Path], object], tmp_path: Path) -> None:
    assert "File name too long" in message(lambda: call(tmp_path / ("x" * 300)))
