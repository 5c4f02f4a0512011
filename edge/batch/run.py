"""The use case: recordings to a submission."""

import time
from collections.abc import Iterator

from edge.batch.dispatch import Dispatch
from edge.batch.journal import Journal
from edge.batch.options import Options
from edge.batch.plan import Plan, make_plan
from edge.batch.progress import tell
from edge.batch.submission import Scored, Submission
from edge.batch.summary import Summary


def run(options: Options, *, began_s: float) -> Summary:
    """Score recordings and write them as one CSV file.

    Args:
        options: What to do.
        began_s: When the command began, on the monotonic clock.

    Raises:
        EdgeError: Nothing was done: arguments, model or output are not usable.
    """
    plan = make_plan(options)
    recordings = plan.recordings
    summary = Summary(
        len(recordings),
        budget_s=options.budget_s,
        remarks=list(plan.remarks),
        warnings=list(plan.warnings),
        left_out=list(recordings.left_out),
        renamed=[(recordings.paths[n], recordings.stem(n)) for n in recordings.renamed],
    )
    for warning in plan.warnings:
        tell(f"WARNING: {warning}")
    journal = Journal(options.journal, plan.identity, resume=options.resume)
    try:
        Dispatch(plan, journal, summary, began_s=began_s).run()
        summary.sort(recordings.paths)
        _write(plan, journal, summary)
    except BaseException:
        if journal.is_fresh:
            journal.remove()
        journal.close()
        raise
    journal.remove()
    summary.elapsed_s = time.monotonic() - began_s
    return summary


def _write(plan: Plan, journal: Journal, summary: Summary) -> None:
    """Write what the journal holds, in the order of the recordings."""

    def scored() -> Iterator[Scored]:
        for number, path in enumerate(plan.recordings.paths):
            if (record := journal.find(path)) is not None:
                yield Scored(plan.recordings.stem(number), record)

    submission = Submission(journal, {model.fingerprint: model.labels for model in plan.models})
    if plan.template is None:
        summary.rows = submission.write(plan.options.out, scored(), plan.columns)
    else:
        summary.matched = submission.write_template(plan.options.out, scored, plan.template)
        summary.rows = summary.matched.rows
