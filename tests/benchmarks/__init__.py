"""How fast mapping is, against code written by hand, Meta's own SDK and one Jinja expression a field.

    python -m tests.benchmarks

Checks first that all contenders make the same events, then measures them in turn within one run, and prints medians and
ratios. Figures of one machine mean little; ratios of one run do.
"""
