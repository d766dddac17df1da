"""Breaks the documentation site and the pages that the code makes."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

HOOK = "docs/site_hook.py"
SITE = "tests/site/test_site.py"

MUTANTS = (
    Mutant(
        "files outside of docs/ are missing on the site",
        HOOK,
        "            files.append(_included(uri, path, config))\n",
        "",
        (f"{SITE}::test_files_outside_of_the_documentation_are_in_it",),
    ),
    Mutant(
        "the site has other anchors than a page that hosts code",
        HOOK,
        r'r"[^\w\- ]", "", heading.lower()',
        r'r"[^\w ]", "", heading.lower()',
        (
            f"{SITE}::test_every_link_within_it_leads_to_a_page_and_an_anchor",
            f"{SITE}::test_anchors_are_those_of_pages_that_host_code",
        ),
    ),
    Mutant(
        "lists keep their indentation, and code in them becomes text",
        HOOK,
        "    return indented(_LINK.sub(rewritten, markdown))",
        "    return _LINK.sub(rewritten, markdown)",
        (f"{SITE}::test_code_in_lists_is_code",),
    ),
    Mutant(
        "the site loads fonts from another host",
        "mkdocs.yml",
        "  font: false # fonts of the system, none from another host\n",
        "",
        (f"{SITE}::test_it_loads_nothing_from_other_hosts",),
    ),
    Mutant(
        "the reference of commands does not have their own flags",
        "docs/command_reference.py",
        'if action.help == argparse.SUPPRESS or "--help" in flags or settings & {*flags}:',
        "if flags:",
        ("tests/site/test_reference.py::test_every_flag_of_a_command_is_in_the_reference",),
    ),
    Mutant(
        "the reference of alerts has one severity of each",
        "docs/alert_reference.py",
        '"".join(map(_rule, rules))',
        "_rule(rules[0])",
        ("tests/site/test_reference.py::test_every_rule_of_an_alert_is_in_the_reference",),
    ),
)
