"""What refines predictions: one module for each post-processor."""
