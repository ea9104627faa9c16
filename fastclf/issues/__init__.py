"""Checks of photos: they take arrays and pictures, know no model, and change nothing."""
