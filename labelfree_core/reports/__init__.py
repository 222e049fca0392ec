"""What a person takes away: GIF, result sheet, recipe."""
