"""Measurements of the whole service, as ratios: `make bench`. Nothing here runs in the tests."""
