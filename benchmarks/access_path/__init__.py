"""What a request costs on the access path, beside simpler ones: a table of docs/performance.md."""
