import re

import pytest
from tiny_training import write_clips

from edge.errors import InputError
from edge_build.dataset import find_labelled, find_unlabelled, without_single_clips


def test_labels_are_folders(tmp_path):
    """A clip's label is its folder, its recording what the pattern finds in its name."""
    data = write_clips(tmp_path / "d", clips=2)
    clips, left_out = find_labelled(data, recording=re.compile(r"^r(\d)\d"))
    expected = [(f"tone-{i}", f"tone-{i}/r{i}{j}.wav", str(i)) for i in range(3) for j in range(2)]
    assert expected == [(clip.label, clip.name, clip.recording) for clip in clips]
    assert left_out == []


@pytest.mark.parametrize(
    ("labels", "said"), [(0, "holds no audio"), (1, "holds one class, tone-0")]
)
def test_too_few_classes(tmp_path, labels, said):
    """A folder without audio, or with one class, is refused with a remedy."""
    folder = write_clips(tmp_path / "d", clips=2, labels=labels)
    folder.mkdir(exist_ok=True)
    with pytest.raises(InputError, match=said) as caught:
        find_labelled(folder)
    assert caught.value.remedy


def test_missing_places(tmp_path):
    """A folder that is not there is named."""
    with pytest.raises(InputError, match="nowhere: is not a folder"):
        find_labelled(tmp_path / "nowhere")
    with pytest.raises(InputError, match="nowhere: is not audio and holds none"):
        find_unlabelled([tmp_path / "nowhere"])


@pytest.mark.parametrize("pattern", [r"^r([12]\d)", r"^r([12]\d)?"])
def test_name_without_recording(tmp_path, pattern):
    """Files in whose names the pattern finds no recording are left out and named."""
    clips, left_out = find_labelled(
        write_clips(tmp_path / "d", clips=2), recording=re.compile(pattern)
    )
    assert [clip.path.name for clip in clips] == ["r10.wav", "r11.wav", "r20.wav", "r21.wav"]
    expected = [f"tone-0/r0{i}.wav: its name has no recording" for i in range(2)]
    assert expected == left_out


def test_no_name_with_a_recording(tmp_path):
    """A pattern that fits no name is an error, with a name to compare it with."""
    folder = write_clips(tmp_path / "d", clips=2)
    said = r"'\^clip-\(\\\\d\+\)' finds a recording in none of the 6 names, such as tone-0/r00\.wav"
    with pytest.raises(InputError, match=said):
        find_labelled(folder, recording=re.compile(r"^clip-(\d+)"))


def test_class_of_one_clip(tmp_path):
    """A class of one clip is left out and named."""
    folder = write_clips(tmp_path / "d", clips=2)
    (folder / "tone-1" / "r10.wav").unlink()
    kept, single = without_single_clips(find_labelled(folder)[0])
    assert (len(kept), single) == (4, ["tone-1"])
