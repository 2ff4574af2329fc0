"""Mappings: from what is declared to one Python function for each event."""
