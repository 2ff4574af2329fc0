"""For those who write mappings: tests, trials on samples, setup pages, layout, editors."""
