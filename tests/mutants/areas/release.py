"""Mutants of package, image and release."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

PACKAGE = "tests/release/test_package.py::"
IMAGE = "tests/release/test_image.py::"
RELEASE = "tests/release/test_release.py::"
MAKE = "tests/release/test_make_image.py::"
HABITS = "tests/release/test_habits.py::"

MUTANTS = (
    Mutant(
        "relative links of the README stay on an index page",
        "setup.py",
        '        if re.match(r"[a-z]+:", target):',
        '        if re.match(r"[a-z]", target):',
        (PACKAGE + "test_relative_links_lead_to_the_repository_but_code_stays",),
    ),
    Mutant(
        "a wheel from the source distribution does not know its revision",
        "setup.py",
        '    if (ROOT / "PKG-INFO").exists()',
        '    if (ROOT / "NONE").exists()',
        (PACKAGE + "test_the_source_distribution_builds_the_same_wheel",),
    ),
    Mutant(
        "links of the package are not those of its repository",
        "setup.py",
        "        project_urls=urls(known),\n",
        "",
        (PACKAGE + "test_metadata_say_what_it_is_and_where_it_is",),
    ),
    Mutant(
        "dashboards of a package with a known repository do not lead to runbooks",
        "exporter/assets/links.py",
        'if "://" in self.runbooks else',
        'if "//" not in self.runbooks else',
        ("tests/assets/test_links.py",),
    ),
    Mutant(
        "an image is built without what .dockerignore leaves out",
        ".dockerignore",
        "!setup.py\n",
        "",
        (IMAGE + "test_the_program_knows_its_build",),
    ),
    Mutant(
        "files that .dockerignore excludes are copied in the trial",
        "deploy/release/dockerfile.py",
        "if pattern.fullmatch(path)), False)",
        "if pattern.fullmatch(path) and False), False)",
        (IMAGE + "test_the_last_pattern_that_matches_decides",),
    ),
    Mutant(
        "a step of the image that fails is no error",
        "deploy/release/image.py",
        "        if done.returncode:\n",
        "        if done.returncode < 0:\n",
        (IMAGE + "test_a_step_that_fails_is_an_error_with_its_output",),
    ),
    Mutant(
        "an image is released on a base without a digest",
        "Makefile",
        "grep -Eq '@sha256:[0-9a-f]{64}$$' \\",
        "grep -Eq python \\",
        (MAKE + "test_an_image_is_released_only_on_a_base_with_a_digest",),
    ),
    Mutant(
        "a dry run commits and tags",
        "deploy/release/__main__.py",
        "        if publish:\n",
        "        if version:\n",
        (RELEASE + "test_a_dry_run_makes_all_artefacts_and_changes_nothing",),
    ),
    Mutant(
        "changes that are not committed are released",
        "deploy/release/__main__.py",
        "    if dirty:\n",
        "    if dirty is None:\n",
        (RELEASE + "test_what_can_not_be_released_is_refused",),
    ),
    Mutant(
        "archives have the time at which they were made",
        "deploy/release/archives.py",
        "mtime=at))",
        "mtime=None))",
        (RELEASE + "test_the_same_commit_gives_the_same_bytes_elsewhere_and_later",),
    ),
    Mutant(
        "a manifest with another version is not seen",
        "deploy/release/version.py",
        "if any(found != version for found",
        "if any(not found for found",
        (RELEASE + "test_what_repeats_the_version_is_compared_and_changed",),
    ),
    Mutant(
        "a release is published before the checks have succeeded",
        ".github/workflows/release.yml",
        "    needs: ci\n",
        "",
        (HABITS + "test_each_job_of_a_release_waits_for_all_checks",),
    ),
)
