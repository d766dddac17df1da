"""Are the alerts right? See README.md in this folder."""
