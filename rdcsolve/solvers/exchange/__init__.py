"""Split and free letters: finite problems on lists of letters that grow by the dearest ones."""
