"""What the cells of a ledger mean (domain 2.7). Pure: no file, no database, no clock.

`reading.py` is the way in. Nothing is guessed silently: whatever was not simply there carries a Mark (marks.py), and the text as
written stays beside every value.
"""
