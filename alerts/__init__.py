"""Alert rules as code: `python -m alerts` writes them."""
