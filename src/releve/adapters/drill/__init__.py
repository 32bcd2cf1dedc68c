"""What a drill touches: journal, clean room, databases, images, keys."""
