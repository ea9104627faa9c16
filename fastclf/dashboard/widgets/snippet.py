"""The lines by which another site's page shows the classifier in a frame."""

from __future__ import annotations

from html import escape

ADDRESS = "ADDRESS"
"""Stands in the place of the page's address where that is not known."""

# what the frame may be given, each asked for by the browser before it is: a camera, pictures that are pasted
_ALLOW = "camera; clipboard-read; web-share"
_STYLE = "border: 0; height: 30rem; width: 100%"
# a frame tells its height alone; whoever sends it is one of these frames
_LISTEN = """<script>
  addEventListener("message", ({ data, source }) => {
    if (data?.type !== "fastclf:height") return;
    for (const frame of document.querySelectorAll("iframe.fastclf")) {
      if (frame.contentWindow === source) frame.style.height = Number(data.height) + "px";
    }
  });
</script>
"""


def write_snippet(title: str, address: str = ADDRESS) -> str:
    """Return the lines: a frame that shows the Classify tab alone, and what lets it grow with the answers.

    Parameters
    ----------
    title
        Of the page, for those who listen to the other one.
    address
        Of the page, without a query.

    Examples
    --------
    >>> print(write_snippet("Bears").splitlines()[0])
    <iframe class="fastclf" src="ADDRESS?embed"
    """
    where = f'src="{escape(address)}?embed"\n  title="{escape(title)}"'
    return f'<iframe class="fastclf" {where}\n  allow="{_ALLOW}"\n  style="{_STYLE}"></iframe>\n{_LISTEN}'
