"""Speed, measured on the machine at hand and beside the libraries that do the same."""
