"""One file a compose attribute: how it is read, merged and applied."""
