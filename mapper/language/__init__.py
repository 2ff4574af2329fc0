"""The expression language: what values mean, what expressions may do, and their way from text to Python."""
