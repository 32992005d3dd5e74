"""What is fast, measured side by side: `make bench`. Nothing here is needed to train."""
