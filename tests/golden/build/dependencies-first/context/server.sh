ls node_modules
