"""Commands of manifests."""
