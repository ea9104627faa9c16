from .panel import SharePanel as SharePanel
