"""What the site is made of: which files of a project become pages, where links lead then, and what is refused."""

import pytest
from gather import Broken, Site

PROJECT = {
    "README.md": "# It\n\nSee [docs](docs/one.md), the [folder](examples/) and `[no](link.md)`.\n\n```\n[no](link.md)\n```\n",
    "docs/SUMMARY.md": "# Summary\n\n- [One](one.md)\n",
    "docs/one.md": '# One\n\n[It](../README.md#it), [`code`](../src/it.rs), <img src="it.svg">, [out](https://example.org/README.md), [here](#one)\n',
    "docs/it.svg": "<svg/>",
    "examples/README.md": "# `Examples`\n\n[First](first.yaml#L1)\n",
    "examples/first.yaml": "a: 1\n",
    "src/it.rs": "fn it() {}\n",
    "src/unseen.rs": "fn unseen() {}\n",
}


@pytest.fixture
def gathered(tmp_path):
    """Gathers from the project with some files changed; what came of it, by paths."""

    def gather(changed):
        root, folder = tmp_path / "project", tmp_path / "site"
        for path, text in (PROJECT | changed).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        Site(root, folder).gather()
        return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}

    return gather


def test_everything_linked_is_gathered_and_links_lead_to_it(gathered):
    assert gathered({}) == {
        "SUMMARY.md": "# Summary\n\n[It](index.md)\n\n- [One](docs/one.md)\n\n# Elsewhere in the project\n\n- [Examples](examples/index.md)\n",
        "index.md": PROJECT["README.md"].replace("(examples/)", "(examples/index.md)"),
        "docs/one.md": PROJECT["docs/one.md"].replace("../README.md#it", "../index.md#it").replace("it.rs", "it.rs.txt"),
        "docs/it.svg": "<svg/>",
        "examples/index.md": "# `Examples`\n\n[First](first.yaml.txt)\n",
        "examples/first.yaml.txt": "a: 1\n",
        "src/it.rs.txt": "fn it() {}\n",
    }


def test_the_summary_may_have_pages_from_elsewhere(gathered):
    summary = "# Summary\n\n[Start](../README.md)\n\n- [One](one.md)\n- [Two](../examples/README.md)\n"
    assert gathered({"docs/SUMMARY.md": summary})["SUMMARY.md"] == (
        "# Summary\n\n[Start](index.md)\n\n- [One](docs/one.md)\n- [Two](examples/index.md)\n"
    )


@pytest.mark.parametrize(
    "path, text, problem",
    [
        ("docs/one.md", "# One\n\n[x](two.md)\n", "docs/one.md links to two.md, which is not there"),
        ("docs/one.md", "# One\n\n[x](../../project/README.md)\n", "docs/one.md links to ../../project/README.md, which is not there"),
        ("docs/one.md", "# One\n\n[x](../src)\n", "docs/one.md links to ../src, a folder without README.md"),
        ("docs/SUMMARY.md", "# Summary\n\n- [One](one.md)\n- [Two](two.md)\n", "docs/SUMMARY.md links to two.md, which is not there"),
        ("docs/two.md", "# Two\n", "docs/two.md has no line in docs/SUMMARY.md"),
        ("examples/README.md", "No heading.\n", "examples/README.md has no heading"),
    ],
)
def test_what_would_be_broken_is_refused(gathered, path, text, problem):
    with pytest.raises(Broken) as refused:
        gathered({path: text})
    assert str(refused.value).split("\n") == [problem]
