"""Keys outside the repository: wrapped for somebody, in shares, in a picture, in the book."""
