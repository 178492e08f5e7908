"""Rows become metric families: what every pushing or pulling exporter starts from."""
