"""Measure training steps: our loop, a plain loop, ours with one technique switched off, and the machine's ceiling."""
