"""Records: read from files, pipes and programs, many at once, on all cores."""
