"""Log lines with correlation ids, and what makes an application's requests, calls and queries
operations.
"""
