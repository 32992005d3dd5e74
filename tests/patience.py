"""Say how long tests wait for other processes."""

# A busy machine may take minutes to start a process, and no test may fail for that. Only a test that would wait for
# ever comes to this end.
PATIENCE_S = 600
