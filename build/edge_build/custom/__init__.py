"""A model of one's own: a head on a base's embeddings, calibrated, with thresholds."""
