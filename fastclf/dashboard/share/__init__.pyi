from .embed_snippet import EmbedSnippet as EmbedSnippet
from .panel import SharePanel as SharePanel
