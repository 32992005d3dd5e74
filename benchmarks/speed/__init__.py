"""Measure training steps of this project's loop, of its variants and of a plain loop, and the machine's ceiling."""
