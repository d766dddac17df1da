"""Mutants of `assets`: what it writes, and rules that are sped up."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FILES = "exporter/assets/files.py"
COMMAND = "tests/assets/test_command.py::"
SPEED = "tests/assets/test_speed.py::"

MUTANTS = (
    Mutant(
        "runbooks link to pages that are not written",
        FILES,
        '_LINK_OUTSIDE.sub(r"\\1", text)',
        "text",
        (COMMAND + "test_no_link_of_a_runbook_leads_out_of_the_folder",),
    ),
    Mutant(
        "dashboards keep the default thresholds",
        "exporter/assets/boards.py",
        "_texts(thresholds, links)\n",
        "_texts(DEFAULTS, links)\n",
        ("tests/assets/test_boards.py",),
    ),
    Mutant(
        "a folder that can't be written is an internal error",
        "exporter/cli.py",
        "    except (OSError, ValueError) as error:  # ValueError",
        "    except KeyError as error:  # ValueError",
        (COMMAND + "test_an_unusable_folder_is_one_line_and_exit_code_2",),
    ),
    Mutant(
        "facts are out of date at once when rules are sped up",
        "exporter/assets/speed.py",
        '_NOT_SPED_UP = ("data_age", "data_age_always", "replica_behind")',
        "_NOT_SPED_UP = ()",
        (SPEED + "test_every_duration_is_divided_down_to_a_minimum",),
    ),
    Mutant(
        "ranges of sped-up rules are fractions of a second",
        "exporter/assets/speed.py",
        "float(round(seconds / self.factor))",
        "seconds / self.factor",
        (SPEED + "test_sped_up_rules_load_and_have_the_thresholds_of_their_speed",),
    ),
    Mutant(
        "other thresholds of the process are ignored",
        "exporter/thresholds.py",
        "    return _in_use[name]\n",
        "    return DEFAULTS[name]\n",
        (SPEED + "test_the_process_compares_with_the_thresholds_that_it_was_given",),
    ),
    Mutant(
        "the wheel has no dashboards",
        "pyproject.toml",
        '"dashboards/*.json", "runbooks/*.md"]',
        '"runbooks/*.md"]',
        ("tests/assets/test_wheel.py",),
    ),
)
