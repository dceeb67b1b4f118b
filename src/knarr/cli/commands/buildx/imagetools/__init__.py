"""Images in registries, in buildx's words; ``manifest`` has the same in docker's."""
