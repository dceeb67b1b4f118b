"""One file an instruction; the package imports every one of them."""
