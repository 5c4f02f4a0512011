"""The commands of `edge-build`, one file each."""
