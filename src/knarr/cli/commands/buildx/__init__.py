"""The words of the buildx plugin, for programs that build with them: one builder, the engine."""
