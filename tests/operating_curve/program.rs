//! The operating curve of the shipped gates: how often they raise a false alarm when looked at after every trial, and how soon they notice
//! what is wrong. Writes a page and a picture; fails if the figures are not as promised. Run by `scripts/operating-curve`.
//!
//!     operating-curve [--quick] FOLDER

mod figures;
mod key_figures;
mod key_page;
mod key_simulation;
mod page;
mod picture;
mod progress;
mod simulation;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (size, folder) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [folder] if !folder.starts_with('-') => (figures::FULL, folder),
        ["--quick", folder] => (figures::QUICK, folder),
        _ => return fail("usage: operating-curve [--quick] FOLDER"),
    };
    let figures = figures::figures(size);
    for (name, text) in [("operating-curve.md", page::page(&figures)), ("operating-curve.svg", picture::picture(&figures))] {
        if let Err(error) = std::fs::write(Path::new(folder).join(name), text) {
            return fail(&format!("{folder}/{name}: {error}"));
        }
    }
    println!("{}", page::comparison(&figures));
    let disagreements = figures::disagreements(&figures);
    if disagreements.is_empty() { ExitCode::SUCCESS } else { fail(&disagreements.join("\n")) }
}

fn fail(why: &str) -> ExitCode {
    eprintln!("operating-curve: {why}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use crate::key_simulation::Way;
    use crate::{figures, page, picture};

    /// A small version of the whole: no more false alarms than promised, and the reference's figures, within what chance explains.
    #[test]
    fn figures_are_as_promised() {
        let figures = figures::figures(figures::QUICK);
        let disagreements = figures::disagreements(&figures);
        assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
        for alarms in &figures.on_the_limit {
            assert!(alarms.z_test.within(u64::MAX) > 2.0 * alarms.gate.within(u64::MAX), "a naive test should do worse: {alarms:?}");
        }
        for row in &figures.keys.equal {
            let [gate, share] = [Way::ByKey, Way::CurrentShare].map(|way| row.share(way));
            assert!(share.is_none_or(|share| Some(share) > gate), "one limit for all trials should do worse: {}", row.what);
        }
        let crowds = figures.keys.equal.iter().filter(|row| row.who == "crowd");
        let failing = |way| crowds.clone().filter_map(|row| row.share(way)).sum::<f64>();
        assert!(failing(Way::ByEvent) > 2.0 * failing(Way::ByKey), "each event for a trial should do worse");
        for turned in figures.turned.iter().filter(|turned| turned.rate >= 0.2) {
            let [whole, long, short] =
                [&turned.whole, &turned.guardrail[0], &turned.guardrail[1]].map(|times| times.quantile(0.5).unwrap_or(u64::MAX));
            assert!(short < long && long < whole, "windows should notice sooner: {turned:?}");
        }
        assert!(page::page(&figures).contains("independent") && picture::picture(&figures).ends_with("</svg>\n"));
    }
}
