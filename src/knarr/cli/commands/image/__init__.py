"""Commands of images."""
