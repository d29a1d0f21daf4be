"""A copy of the whole register in one file, and the way back: nothing is sent after a restore until somebody says so.

`manifest` says what a copy holds, `archive` is the file, `sqlite` and `postgres` are the two kinds of dump, `taking` makes a
copy while servers write, `restoring` brings it back, `finalizing` lets messages go again.
"""
