//! The documents as a whole: links lead somewhere, pages are short, and each of them can be found.

use std::collections::BTreeSet;
use std::path::Path;

use crate::markdown::text;

const README: &str = "README.md";
const SUMMARY: &str = "docs/SUMMARY.md";

/// Every Markdown file of the project, by its path, without what the project builds or installs.
fn documents() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut folders) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_name().unwrap().to_str().unwrap();
            if entry.is_dir() && name != "target" && name != "node_modules" && !name.starts_with('.') {
                folders.push(entry);
            } else if name.ends_with(".md") {
                found.push(entry.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// A document without its blocks of code.
fn prose(text: &str) -> String {
    let mut code = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        } else if !code && !line.starts_with("    ") {
            kept.extend([line, "\n"]);
        }
    }
    kept
}

/// Where the links and pictures of a document lead, but for those to other sites.
fn links(text: &str) -> Vec<String> {
    let without_code: String = prose(text).lines().flat_map(|line| line.split('`').step_by(2).chain(["\n"])).collect();
    let targets = without_code.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

/// The anchors that GitHub and mdbook make of the headings of a document.
fn anchors(text: &str) -> BTreeSet<String> {
    let prose = prose(text);
    let headings = prose.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    headings.map(|heading| heading.chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

/// The file that a link in `from` leads to, and its anchor.
fn target(from: &str, link: &str) -> (String, Option<String>) {
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor.to_owned())));
    if path.is_empty() {
        return (from.to_owned(), anchor);
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "" | "." => {}
            part => parts.push(part),
        }
    }
    (parts.join("/"), anchor)
}

/// What is wrong with a link; `None`: nothing.
fn broken(from: &str, link: &str) -> Option<String> {
    let (file, anchor) = target(from, link);
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join(&file).exists() {
        return Some(format!("{from} links to {file}, which is not there"));
    }
    let lost = anchor.filter(|anchor| file.ends_with(".md") && !anchors(&text(&file)).contains(anchor))?;
    Some(format!("{from} links to #{lost}, which is no heading of {file}"))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for document in documents() {
        let links = links(&text(&document));
        seen += links.len();
        wrong.extend(links.iter().filter_map(|link| broken(&document, link)));
    }
    assert!(seen > 60, "only {seen} links");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_broken_link_is_seen() {
    let text =
        "# One\n[a](x.md) `b`\n```\n[c](y.md)\n# no heading\n```\n![d](../z.svg#e)\n[f](https://example.com)\n## What's *that*, 2?\n";
    assert_eq!(links(text), ["x.md", "../z.svg#e"]);
    assert_eq!(anchors(text), BTreeSet::from(["one".to_owned(), "whats-that-2".to_owned()]));
    assert_eq!(target("docs/a.md", "../envoy/b.md#c"), ("envoy/b.md".to_owned(), Some("c".to_owned())));
    for link in ["no.md", "../no/README.md", "#no-heading", "gates.md#no-heading"] {
        assert!(broken("docs/concepts.md", link).is_some(), "{link}");
    }
    assert_eq!(broken("docs/concepts.md", "gates.md#measures"), None);
}

#[test]
fn the_readme_and_the_pages_are_short() {
    for document in documents() {
        let most = match document.as_str() {
            README => 10 * 1024,
            page if page.starts_with("docs/") => 12 * 1024,
            _ => continue,
        };
        let size = text(&document).len();
        assert!(size <= most, "{document} has {size} bytes, more than {most}");
    }
}

#[test]
fn every_page_is_in_the_summary_and_can_be_reached_from_the_readme() {
    let pages: BTreeSet<String> = documents().into_iter().filter(|page| page.starts_with("docs/") && page != SUMMARY).collect();
    let mut listed: Vec<String> = links(&text(SUMMARY)).iter().map(|link| target(SUMMARY, link).0).collect();
    listed.sort();
    assert_eq!(pages.iter().collect::<Vec<_>>(), listed.iter().collect::<Vec<_>>(), "{SUMMARY} has each page of docs once");

    let (mut reached, mut open) = (BTreeSet::new(), vec![README.to_owned()]);
    while let Some(document) = open.pop() {
        if document.ends_with(".md") && reached.insert(document.clone()) {
            open.extend(links(&text(&document)).iter().map(|link| target(&document, link).0));
        }
    }
    let lost: Vec<_> = pages.difference(&reached).collect();
    assert!(pages.len() > 10 && lost.is_empty(), "nothing leads to {lost:?}");
}
