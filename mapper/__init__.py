"""Map records to conversion events in YAML, and deliver them."""

__version__ = "0.1.0"
