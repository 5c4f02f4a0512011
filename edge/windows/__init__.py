"""Which samples belong to which window: pure arithmetic on sample counts."""
