"""Documents of the OCI specifications: image-spec 1.1 and runtime-spec 1.2."""
