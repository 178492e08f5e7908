"""Numbers out: files, and the text that Prometheus reads."""
