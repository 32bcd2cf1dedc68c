"""The held originals: index, packs, clones."""
