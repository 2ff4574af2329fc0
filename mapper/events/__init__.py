"""From a record to its events: what a compiled mapping does, and how it is explained."""
