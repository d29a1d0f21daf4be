"""The heart decides and remembers nothing: stages, facts, the fold, the rules, limits and workdays.

Nothing here opens a database, reads a clock or knows a setting; everything else in the house
stores what the heart says or shows it. Read `lifecycle` (what may happen), then `facts` and `standing`
(what is true), then `rules` (what is late).
"""
