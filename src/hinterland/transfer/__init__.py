"""Industrial transfer: how much moved, from where to where, in which mode, and what could come next; assembled from measures and estimates."""
