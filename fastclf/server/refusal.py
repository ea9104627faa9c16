"""What a visitor sees at an address that is none, or under an unknown name: a page in words."""

from __future__ import annotations

from tornado.web import RequestHandler


class Refusal(RequestHandler):
    """Answers with a status and the page that says so in words."""

    def initialize(self, status: int) -> None:
        """Keep the status."""
        self._status = status

    def prepare(self) -> None:
        """Answer whatever the method is."""
        self.set_status(self._status)
        page = self.settings["voila_jinja2_env"].get_template("error.html")
        self.finish(page.render(status_code=self._status, base_url=self.settings.get("base_url", "/")))

    def check_xsrf_cookie(self) -> None:
        """Refuse without a look at cookies."""
