"""Monitoring as agent tools: what was used, how fast, at what cost, and whether anything is
wrong.
"""
