"""From an image and a model to a prediction, within the memory at hand."""
