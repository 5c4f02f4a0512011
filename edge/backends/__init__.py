"""What judges: one module for each kind of model, each with a `load(folder) -> Model`."""
