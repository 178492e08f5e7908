"""The checks of `doctor` that look at a store and at what this program stands on. Each is a
function that yields facts and symptoms.
"""
