"""Teaches a small net on tokens to answer as another model does."""
