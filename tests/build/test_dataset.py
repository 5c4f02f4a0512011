import re

import pytest
from tiny_training import write_clips

from edge.errors import InputError
from edge_build.dataset import find_labelled, find_unlabelled, without_single_clips


def test_labels_are_folders(tmp_path):
    """A clip's label is its folder, its recording what the pattern finds in its name."""
    clips = find_labelled(write_clips(tmp_path / "d", clips=2), recording=re.compile(r"^r(\d)\d"))
    expected = [(f"tone-{i}", f"tone-{i}/r{i}{j}.wav", str(i)) for i in range(3) for j in range(2)]
    assert expected == [(clip.label, clip.name, clip.recording) for clip in clips]


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


def test_name_without_recording(tmp_path):
    """A name that the recording's pattern does not match is an error that names the file."""
    folder = write_clips(tmp_path / "d", clips=2)
    with pytest.raises(InputError, match=r"tone-0/r00\.wav: its name has no recording"):
        find_labelled(folder, recording=re.compile(r"^clip-(\d+)"))


def test_class_of_one_clip(tmp_path):
    """A class of one clip is left out and named."""
    folder = write_clips(tmp_path / "d", clips=2)
    (folder / "tone-1" / "r10.wav").unlink()
    kept, single = without_single_clips(find_labelled(folder))
    assert (len(kept), single) == (4, ["tone-1"])
