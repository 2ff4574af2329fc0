"""Delivery: batches, answers, retries, the journal, dead letters, and the report."""
