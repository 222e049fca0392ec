"""Observed against predicted: display, differences, scores, masks, objects, trust."""
