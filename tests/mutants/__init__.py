"""Breaks the project on purpose, one break at a time, to show that a test notices each.

`make mutants` runs all of them, in minutes; `make mutants ARGS="--only polling"` runs one area. Each break is a
`Mutant` in `areas/`. If a refactoring moves the text that a mutant replaces, `test_list.py` fails: adapt the mutant.
If a mutant survives, a test is missing: write the test, and keep the mutant.
"""
