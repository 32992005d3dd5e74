"""Change the code in one place at a time, and count how many of these mutants the tests notice."""
