"""What a model folder is: its manifest, files, labels and head, and the graphs it may hold."""
