"""One function a build check; the package imports every file."""
