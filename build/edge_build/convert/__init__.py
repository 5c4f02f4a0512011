"""Models in another form, each compared with its source."""
