"""Destinations: their files, and the cleaning, hashing, rules, requests and answers that these declare."""
