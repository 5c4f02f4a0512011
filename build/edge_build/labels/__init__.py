"""Label files with times: which recording holds which label, and when."""
