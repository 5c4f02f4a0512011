"""What `edge` can be told to do: one module for each command."""
