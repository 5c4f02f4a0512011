"""The pipeline that makes models; it uses the runtime's own mel and tokens."""
