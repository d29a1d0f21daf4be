"""Answers without a form: each line of a digest has a link, and behind it one sentence may be recorded, once, by its addressee."""
