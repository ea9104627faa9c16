"""What a visitor sees at an address that is none, or under an unknown name: a page in words."""

from __future__ import annotations

from tornado.web import RequestHandler

from ..api import PROBLEM_TYPE, build_usual_problem, write_problem


class Refusal(RequestHandler):
    """Answers with a status and the page that says so in words."""

    def initialize(self, status: int, is_api: bool = False) -> None:
        """Keep the status, and whether a program reads it."""
        self._status, self._is_api = status, is_api

    def prepare(self) -> None:
        """Answer whatever the method is."""
        self.set_status(self._status)
        if self._is_api:
            self.set_header("Content-Type", PROBLEM_TYPE)
            self.finish(write_problem(build_usual_problem(self._status)))
            return
        page = self.settings["voila_jinja2_env"].get_template("error.html")
        self.finish(page.render(status_code=self._status, base_url=self.settings.get("base_url", "/")))

    def check_xsrf_cookie(self) -> None:
        """Refuse without a look at cookies."""
