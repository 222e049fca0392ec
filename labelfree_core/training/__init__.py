"""From image pairs to a model with an honest held-out score."""
