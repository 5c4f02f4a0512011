"""The recordings that label files speak of are found among those that are there."""

import unicodedata

import pytest

from edge_build.labels.audio import AudioIndex


def index_of(tmp_path, *names):
    """Make files and look at them."""
    for name in names:
        path = tmp_path / "audio" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return AudioIndex(tmp_path / "audio", [tmp_path / "audio" / name for name in names])


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("a.wav", "s1/a.wav"),
        ("A.WAV", "s1/a.wav"),
        ("a.mp3", "s1/a.wav"),
        ("b.flac", "s1/b.flac"),
        ("b.ogg", "s2/b.ogg"),
        ("/mnt/card/s2/c.wav", "s2/c.wav"),
        ("D:\\card\\S1\\c.wav", "s1/c.wav"),
        (unicodedata.normalize("NFD", "käuzchen.wav"), "s2/käuzchen.wav"),
    ],
)
def test_recordings_are_found_by_name(given, found, tmp_path):
    """Capitals, spelling of umlauts, another suffix and other folders do not hide one."""
    index = index_of(
        tmp_path, "s1/a.wav", "s1/b.flac", "s2/b.ogg", "s1/c.wav", "s2/c.wav", "s2/käuzchen.wav"
    )
    assert (tmp_path / "audio" / found, "") == index.named(given)


def test_what_is_missing_or_may_be_several_is_told(tmp_path):
    """None is chosen by chance."""
    index = index_of(tmp_path, "s1/c.wav", "s2/c.wav")
    assert index.named("x.wav") == (None, "no audio of this name is there")
    assert index.named("c.wav") == (None, "may be s1/c.wav or s2/c.wav")
    assert index.named("/s3/c.wav") == (None, "may be s1/c.wav or s2/c.wav")


def test_of_names_that_differ_in_capitals_the_same_one_is_taken(tmp_path):
    """Where a file system has both, each is found by its own name."""
    index = index_of(tmp_path, "c.wav", "C.wav")
    assert tmp_path / "audio" / "C.wav" == index.named("C.wav").path
    assert tmp_path / "audio" / "c.wav" == index.named("c.wav").path


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("labels/dawn.txt", "s1/dawn.wav"),
        ("labels/dawn.Table.1.selections.txt", "s1/dawn.wav"),
        ("labels/dawn.wav.txt", "s1/dawn.wav"),
        ("labels/dawn.labels.txt", "s1/dawn.wav"),
        ("labels/dawn.v2.txt", "s2/dawn.v2.wav"),
        ("labels/s2/dusk.txt", "s2/dusk.wav"),
        ("audio/s1/dusk.txt", "s1/dusk.wav"),
    ],
)
def test_a_table_belongs_to_the_recording_of_its_name(table, found, tmp_path):
    """The longest name that there is; of several the one beside it, or in a folder of one name."""
    index = index_of(tmp_path, "s1/dawn.wav", "s2/dawn.v2.wav", "s1/dusk.wav", "s2/dusk.wav")
    assert tmp_path / "audio" / found == index.beside(tmp_path / table).path


def test_a_table_without_a_recording(tmp_path):
    """It is told, and so is one that may belong to two."""
    index = index_of(tmp_path, "s1/dusk.wav", "s2/dusk.wav")
    for name in ("noon.Table.1.selections.txt", "..txt", "....txt", ".txt"):
        assert index.beside(tmp_path / name).path is None
    for name in ("", "/", "..", "\\", "D:\\"):
        assert index.named(name).path is None
    assert index.beside(tmp_path / "dusk.txt").trouble == "may be s1/dusk.wav or s2/dusk.wav"
