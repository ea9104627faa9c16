THEME = """
html, body { background: #f6f8fb !important; }
.fastclf .widget-html-content { color: var(--ink); }
.fastclf { --ground: #f6f8fb; --on-accent: #ffffff; --good: #1d6b3a; --focus: #b45f06; }
@media (prefers-color-scheme: dark) {
  .fastclf {
    --ink: #e6eaf0; --soft: #a3aebd; --line: #343c48; --card: #1b212a; --ground: #14181f; --accent: #7db1ff;
    --on-accent: #0d1117; --warn: #ffb066; --bad: #ff9a94; --good: #7fd49b; --focus: #ffc266;
  }
  html, body, body * { --jp-layout-color0: #14181f; --jp-layout-color1: #14181f; }
  html, body { background: #14181f !important; }
}
"""
