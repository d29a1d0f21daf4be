"""Cells out of a file somebody sent: .xlsx, .xls, .ods and .csv, judged by what they hold and parsed in a child process.

`workbook.py` is the parent's side and the way in; `child.py` is the process that touches the file. Nothing here knows what a ledger is.
"""
