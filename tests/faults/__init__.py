"""What can go wrong between a sender and its destination, made to happen: ``python -m tests.faults``."""
