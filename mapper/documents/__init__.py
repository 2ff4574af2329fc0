"""YAML files: read into values that know their place, strictly, and checked against what is declared."""
