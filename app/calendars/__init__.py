"""The calendar of workdays: which notice of which year is known since when; an administrator imports the yearly notice."""
