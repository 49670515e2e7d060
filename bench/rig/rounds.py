"""A round: every target once, those of one setting on one stage, one after the other."""

import itertools

from .stage import Stage


def measure_round(folder, name, targets, load, postgres, patience):
    """(target -> result, the promises that broke). Targets of one setting stand together."""
    measured, broken = {}, []
    for number, (setting, those) in enumerate(itertools.groupby(targets, key=lambda target: target.setting)):
        stage_name = f"{name}_{number}"
        stage = Stage(folder / stage_name, setting, load, postgres.database(stage_name), postgres)
        for target in those:
            measured[target.name] = stage.measure(target, patience)
        stage.stop()
        broken += stage.broken
    return measured, broken
