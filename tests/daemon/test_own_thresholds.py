"""A model may bring a threshold for each of its labels."""

import yaml
from recordings import record


def test_labels_have_thresholds_of_the_model_s_own(watching, models, card):
    """Where the configuration gives none, each label is held to its own, others to the default."""
    record(card / "a.wav", seed=1)
    here = watching(post=[{"threshold": {"default": 0.0}}])
    here.run_once()
    every = [(one.label, one.confidence) for one in here.detections()]
    labels = sorted({label for label, _ in every})
    assert len(labels) > 1
    silent, open_ = labels[:2]
    path = models / "tiny" / "model.yaml"
    manifest = yaml.safe_load(path.read_text())
    manifest["threshold"] = 1.0
    manifest["thresholds"] = {silent: 1.0, open_: 0.0}
    path.write_text(yaml.safe_dump(manifest))
    other = watching(post=[])
    other.run_once()
    heard = [(one.label, one.confidence) for one in other.detections()]
    assert [one for one in every if one[0] == open_] == heard
    smooth = watching(post=[{"smooth": {"kernel": [1]}}])
    done = smooth.command("check")
    expected = "ok      post: ends with the model's own threshold, 1; 2 labels have their own\n"
    assert expected in done.stdout


def test_a_threshold_that_is_no_probability_is_refused(watching, models, card):
    """The manifest's line is named."""
    path = models / "tiny" / "model.yaml"
    path.write_text(f"{path.read_text()}\nthresholds: {{owl: 1.5}}\n")
    done = watching().command("check")
    assert done.returncode != 0
    assert "thresholds.owl: Expected `float` <= 1.0" in done.stdout + done.stderr
