"""Where detections go, one file each."""
