"""A recipe's head on the embeddings of a model that stays as it is."""
