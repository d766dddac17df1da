"""What tests and benchmarks share; nothing else may be imported from one into the other."""
