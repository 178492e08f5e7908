"""OTLP/HTTP in: traces, metrics and logs of other people's programs become cost facts and
operations.
"""
