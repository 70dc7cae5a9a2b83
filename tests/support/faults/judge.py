"""Set V after every fault, and W5, which needs to know the order of the commits."""

from ..rolling import RollingV


class FaultV(RollingV):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.commits = set()  # ends of the transactions that write at least one version

    def _remember(self, spec, found):
        self.commits.update(version.lsn_from for version in self.model.versions(spec.id)
                            if version.op != "SNAPSHOT")
        super()._remember(spec, found)

    def judge(self, watcher, witnessed):
        """All of set V for what came since the last call, and again for what was right then.
        The source is quiet, everything is stored. Returns what is wrong."""
        self.problems.clear()
        self.check_round(witnessed)
        self.check_end()
        self.points.clear()
        self.problems += watcher.prefix_violations(sorted(self.commits))
        return list(self.problems)
