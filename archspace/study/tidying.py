"""Studies tidied: what a killed search left in a journal, what dead workers left in a database, or the whole study."""

from __future__ import annotations

import shutil
from pathlib import Path

import optuna

from archspace.study.database import connected, join_shared
from archspace.study.lineage import owed, queue_again
from archspace.study.quiet import quiet_optuna
from archspace.study.reading import read_study
from archspace.study.run import OWN_FILES
from archspace.study.store import JOURNAL, repaired


def tidied(study: str, storage: str | None = None) -> list[str]:
    """Tidy the study in a folder, or the one of that name in a database; what was done, one line each.

    Of a journal, an unfinished last line is cut and the lock of a dead process removed; of a shared study, trials whose workers have not
    been heard of are failed and their candidates queued again. Raises StudyError, UnknownNameError.
    """
    with quiet_optuna():
        if storage is None:
            journal = Path(study) / JOURNAL
            cut = repaired(journal)
            read_study(study)
            return [f"cut {cut} bytes of an unfinished line off {journal}"] if cut else []
        shared, _, limits = join_shared(storage, study)
        running = {trial.number for trial in shared.get_trials(deepcopy=False) if trial.state == optuna.trial.TrialState.RUNNING}
        optuna.storages.fail_stale_trials(shared)
        for trial in owed(shared.get_trials(deepcopy=False)):
            queue_again(shared, trial)
        given_up = [trial.number for trial in shared.get_trials(deepcopy=False) if trial.number in running and trial.state.is_finished()]
        return [f"gave up trial {number}: its worker has not been heard of for {limits.grace_s} s" for number in given_up]


def delete_study(study: str, storage: str | None = None) -> list[str]:
    """Delete a study: its folder's own files, or its trials in a database; what was done. Raises StudyError, UnknownNameError."""
    with quiet_optuna():
        found = read_study(study, storage)
        if storage is not None:
            optuna.delete_study(study_name=found.name, storage=connected(storage))
            return [f"deleted study {found.name} from {found.place}"]
    folder = Path(study)
    for entry in sorted(folder.iterdir()):
        if entry.name in OWN_FILES:
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    left = sorted(entry.name for entry in folder.iterdir())
    if left:
        return [f"deleted the study in {folder}; left what is not its own: {', '.join(left)}"]
    folder.rmdir()
    return [f"deleted {folder}"]
