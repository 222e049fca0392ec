"""Image files in, image files out, and everything done to an image before a network sees it."""
