"""Reports of a scene: a folder of definitions, and the command that runs them."""

import csv
import io
import json


class Reports:
    """The folder that a scene's configuration names, and its reports."""

    def __init__(self, scene, folder):
        self.scene = scene
        self.folder = folder
        folder.mkdir()
        scene.configure(reports={"dir": str(folder)})

    def write(self, name, text):
        path = self.folder / f"{name}.sql"
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, *arguments, **options):
        return self.scene.run("report", *arguments, **options)

    def rows(self, *arguments):
        """What a report answers, as its JSON has it."""
        result = self.run(*arguments, "--format", "json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)


def csv_rows(text):
    """Head and rows; NULL and an empty text are both ''."""
    head, *rows = csv.reader(io.StringIO(text, newline=""))
    return head, rows
