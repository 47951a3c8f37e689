//! `--against`: what new files change for an experiment that goes on. And files from the standard input.

use crate::run::{GOOD, Run, SOUND, check, check_with, file};

/// A plugin of the experiment `e6`, a Rollout that names it, the shadow's Deployment, which its Service tells, and one that is neither.
const FILES: &str = r#"
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: gnomon, namespace: ml}
spec:
  PLUGIN
  match: [{mode: CLIENT}]
  pluginConfig:
    version: 1
    experiment: e6
    routes:
    - name: fraud
      match: {path: {prefix: /v2/models/fraud/}}
      observe:
        baseline: v1
        variants:
        - {name: v1, cluster: {suffix: "|fraud-stable.ml.svc.cluster.local"}}
        - {name: v2, cluster: {prefix: "outbound|80||fraud-canary."}}
      shadows: [{name: s, cluster: outbound|80||fraud-shadow.ml.svc.cluster.local, percent: 5}]
      gates: [{name: g, of: s, measure: diverged, limit: 1}, {name: c, of: s, measure: coverage, limit: 90}]
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: fraud, namespace: ml}
spec:
  replicas: 2
  template:
    metadata: {labels: {app: fraud, experiment: e6}}
    spec:
      initContainers: [{name: weights, image: "a/weights:3"}]
      containers: [{name: model, image: "a/fraud:6", env: [{name: A, value: "1"}]}, {name: logs, image: "a/logs:1"}]
      volumes: [{name: disk, emptyDir: {}}, {name: tokens, image: {reference: "a/tokens:1"}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: fraud-shadow, namespace: ml}
spec:
  template:
    metadata: {labels: {app: fraud-shadow, tier: model}}
    spec: {containers: [{name: model, image: "a/shadow:6"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: ml}
spec:
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: shop, image: "a/shop:1"}]}
---
apiVersion: v1
kind: Service
metadata: {name: fraud-shadow, namespace: ml}
spec: {selector: {app: fraud-shadow}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: fraud-stable, namespace: ml}
spec: {selector: {app: fraud}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: fraud-canary, namespace: ml}
spec: {selector: {app: fraud}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: ml}
spec: {selector: {app: shop}, ports: [{name: http, port: 80}]}
"#;

const ROLLOUT: &str = "document 2, Rollout ml/fraud";
const SHADOW: &str = "document 3, Deployment ml/fraud-shadow";

type Edits<'e> = &'e [(&'e str, &'e str)];

fn files(edits: Edits<'_>) -> String {
    edits.iter().fold(FILES.replace("PLUGIN", &SOUND.replace(", ", "\n  ")), |text, (from, to)| {
        assert!(text.contains(from), "no {from}");
        text.replace(from, to)
    })
}

/// Checks the files with the edits `new` against those with the edits `old`.
fn against(name: &str, old: Edits<'_>, new: Edits<'_>) -> Run {
    let old = file("against", &format!("{name}-old.yaml"), &files(old));
    check_with(["-".as_ref(), "--against".as_ref(), old.as_path()], &files(new))
}

/// Asserts that a run found exactly this: nothing (`good`), a warning, or a problem.
#[track_caller]
fn assert_told(name: &str, run: &Run, code: i32, expected: &[String]) {
    let good = ["good: configuration "].map(str::to_owned);
    let wanted: Vec<&String> = expected.iter().chain(good.iter().filter(|_| code == 0)).collect();
    let same = run.lines.len() == wanted.len()
        && run
            .lines
            .iter()
            .zip(&wanted)
            .all(|(line, text)| line.strip_prefix("standard input: ").is_some_and(|line| line.starts_with(&***text)));
    assert!(same && run.code == Some(code), "{name}: {:#?} {:#?}", run.lines, run.errors);
}

#[test]
fn an_image_that_changed_under_one_id_is_a_problem() {
    let end = "under the same experiment e6, whose verdict would be of both: give a new experiment";
    let of = |place: &str, what: &str, from: &str, to: &str| format!("{place}: {what}: image from {from} to {to} {end}");
    let digest = |image: &str, digit: &str| format!("{image}@sha256:{}", digit.repeat(64));
    let no_label: (&str, &str) = (", experiment: e6}", "}");
    let aside = (
        "{name: fraud-stable, namespace: ml}\nspec: {selector: {app: fraud}",
        "{name: fraud-stable, namespace: ml}\nspec: {selector: {app: b}",
    );
    let service =
        "v1\nkind: Service\nmetadata: {name: fraud-canary, namespace: ml}\nspec: {selector: {app: fraud}, ports: [{name: http, port: 80}]}";
    let flagger = |target: &str| {
        format!(
            "flagger.app/v1beta1\nkind: Canary\nmetadata: {{name: c, namespace: ml}}\nspec: {{targetRef: {{kind: Rollout, name: {target}}}, service: {{name: fraud}}}}"
        )
    };
    let (canary, other) = (flagger("fraud"), flagger("shop"));
    let (canary, other) = ((service, &*canary), (service, &*other));
    let elsewhere = ("Deployment\nmetadata: {name: fraud-shadow, namespace: ml", "Deployment\nmetadata: {name: fraud-shadow, namespace: x");
    let (one, two) = (digest("a/fraud:6", "1"), digest("a/fraud:6", "2"));
    for (name, old, new, expected) in [
        ("container", &[][..], &[("a/fraud:6", "a/fraud:7")][..], Some(of(ROLLOUT, "container model", "a/fraud:6", "a/fraud:7"))),
        ("sidecar", &[], &[("a/logs:1", "a/logs:2")], Some(of(ROLLOUT, "container logs", "a/logs:1", "a/logs:2"))),
        ("init", &[], &[("a/weights:3", "a/weights:4")], Some(of(ROLLOUT, "init container weights", "a/weights:3", "a/weights:4"))),
        ("volume", &[], &[("a/tokens:1", "a/tokens:2")], Some(of(ROLLOUT, "volume tokens", "a/tokens:1", "a/tokens:2"))),
        (
            "renamed",
            &[],
            &[("{name: model, image: \"a/fraud:6\"", "{name: m, image: \"a/fraud:7\"")],
            Some(of(ROLLOUT, "container m", "a/fraud:6", "a/fraud:7")),
        ),
        ("digest", &[("a/fraud:6", &*one)], &[("a/fraud:6", &*two)], Some(of(ROLLOUT, "container model", &one, &two))),
        ("other order", &[], &[("{name: model, image: \"a/fraud:6\"", "{image: \"a/fraud:6\", name: model")], None),
        ("unrelated", &[], &[("a/shop:1", "a/shop:2")], None),
        ("replicas", &[], &[("replicas: 2", "replicas: 3")], None),
        ("new id", &[], &[("a/fraud:6", "a/fraud:7"), ("a/shadow:6", "a/shadow:7"), ("e6", "e7")], None),
        ("id of the pods", &[("experiment: e6}}", "experiment: e5}}")], &[("a/fraud:6", "a/fraud:7")], None),
        ("shadow", &[], &[("a/shadow:6", "a/shadow:7")], Some(of(SHADOW, "container model", "a/shadow:6", "a/shadow:7"))),
        ("no label", &[no_label], &[no_label, ("a/fraud:6", "a/fraud:7")], Some(of(ROLLOUT, "container model", "a/fraud:6", "a/fraud:7"))),
        (
            "prefix",
            &[no_label, aside],
            &[no_label, aside, ("a/fraud:6", "a/fraud:7")],
            Some(of(ROLLOUT, "container model", "a/fraud:6", "a/fraud:7")),
        ),
        (
            "flagger",
            &[no_label, aside, canary],
            &[no_label, aside, canary, ("a/fraud:6", "a/fraud:7")],
            Some(of(ROLLOUT, "container model", "a/fraud:6", "a/fraud:7")),
        ),
        ("another target", &[no_label, aside, other], &[no_label, aside, other, ("a/fraud:6", "a/fraud:7")], None),
        ("pods elsewhere", &[elsewhere], &[elsewhere, ("a/shadow:6", "a/shadow:7")], None),
        ("label is new", &[no_label], &[("a/fraud:6", "a/fraud:7")], Some(of(ROLLOUT, "container model", "a/fraud:6", "a/fraud:7"))),
        ("first id", &[("experiment: e6", "experiment: e5")], &[("a/shadow:6", "a/shadow:7"), ("a/fraud:6", "a/fraud:7")], None),
        (
            "no namespace",
            &[("Deployment\nmetadata: {name: fraud-shadow, namespace: ml", "Deployment\nmetadata: {name: fraud-shadow")],
            &[("a/shadow:6", "a/shadow:7")],
            Some(of(SHADOW, "container model", "a/shadow:6", "a/shadow:7")),
        ),
        ("nothing", &[("a/", "b/"), ("containers:", "cans:")], &[], None),
    ] {
        let run = against(name, old, new);
        assert_told(name, &run, i32::from(expected.is_some()), expected.as_slice());
    }
}

#[test]
fn what_else_changed_under_one_id_is_a_warning() {
    let template = "its pod template has changed under the same experiment e6: if the model answers otherwise now, give a new experiment";
    let gate = "document 1, WasmPlugin ml/gnomon: warning: route fraud, gate g: limit from 1% to 2% under the same experiment";
    for (name, edits, expected) in [
        ("env", &[("value: \"1\"", "value: \"2\"")], format!("{ROLLOUT}: warning: {template}")),
        (
            "one more container",
            &[(", {name: logs, image: \"a/logs:1\"}", ", {name: logs, image: \"a/logs:1\"}, {name: more, image: \"a/more:1\"}")],
            format!("{ROLLOUT}: warning: {template}"),
        ),
        ("one container less", &[(", {name: logs, image: \"a/logs:1\"}", "")], format!("{ROLLOUT}: warning: {template}")),
        ("gate", &[("limit: 1}", "limit: 2}")], gate.to_owned()),
    ] {
        assert_told(name, &against(name, &[], edits), 0, &[expected]);
    }
    // One digest is one image, whichever registry has it.
    let at = |registry: &str| format!("{registry}/fraud@sha256:{}", "1".repeat(64));
    let run = against("mirror", &[("a/fraud:6", &at("a"))], &[("a/fraud:6", &at("mirror"))]);
    assert_told("mirror", &run, 0, &[format!("{ROLLOUT}: warning: {template}")]);
}

#[test]
fn pods_that_come_to_an_experiment_with_another_image_are_warned_of() {
    let line = |place: &str, others: &str, image: &str| {
        format!(
            "{place}: warning: it serves the experiment e6, which had other pods before ({others}), with the image {image}: if it is another model, give a new experiment"
        )
    };
    let rollout = |kind: &str| line(&format!("document 2, {kind}"), "Rollout ml/fraud, Deployment ml/fraud-shadow", "a/fraud:7");
    let service = ("selector: {app: fraud-shadow}", "selector: {app: shop}");
    let renamed = ("Deployment\nmetadata: {name: fraud-shadow,", "Deployment\nmetadata: {name: fraud-shadow-7,");
    let elsewhere = ("Deployment\nmetadata: {name: fraud-shadow, namespace: ml", "Deployment\nmetadata: {name: fraud-shadow, namespace: x");
    let shop = || line("document 4, Deployment ml/shop", "Rollout ml/fraud, Deployment ml/fraud-shadow", "a/shop:1");
    for (name, old, new, expected) in [
        ("kind", &[][..], &[("kind: Rollout", "kind: Deployment"), ("a/fraud:6", "a/fraud:7")][..], vec![rollout("Deployment ml/fraud")]),
        (
            "name",
            &[],
            &[("Rollout\nmetadata: {name: fraud,", "Rollout\nmetadata: {name: f,"), ("a/fraud:6", "a/fraud:7")],
            vec![rollout("Rollout ml/f")],
        ),
        ("service", &[], &[service], vec![shop()]),
        ("service, new id", &[], &[service, ("e6", "e7")], vec![]),
        ("namespace", &[elsewhere], &[("a/shadow:6", "a/shadow:7")], vec![line(SHADOW, "Rollout ml/fraud", "a/shadow:7")]),
        ("same image", &[("a/shop:1", "a/shadow:6")], &[service, ("a/shop:1", "a/shadow:6")], vec![]),
        ("renamed, same image", &[], &[renamed], vec![]),
        ("nobody before", &[("containers:", "cans:")], &[], vec![]),
    ] {
        assert_told(name, &against(name, old, new), 0, &expected);
    }
}

#[test]
fn pods_of_another_experiment_than_the_plugins_are_warned_of() {
    let warning = |label: &str, known: &str| {
        format!(
            "{ROLLOUT}: warning: the label experiment of its pods is {label}, but the configuration's experiment is {known}: write one id into both"
        )
    };
    let own = |id: &str| format!("- name: fraud\n      experiment: {id}");
    for (name, edits, expected) in [
        ("same", &[][..], &[][..]),
        ("pods", &[("experiment: e6}}", "experiment: e7}}")], &[warning("e7", "e6")]),
        ("plugin", &[("experiment: e6\n", "experiment: e7\n")], &[warning("e6", "e7")]),
        ("route", &[("- name: fraud", &*own("e7")), ("experiment: e6}}", "experiment: e7}}")], &[]),
        ("another route", &[("- name: fraud", &*own("e8"))], &[warning("e6", "e8")]),
    ] {
        assert_told(name, &check_with(["-"], &files(edits)), 0, expected);
    }
    // What a configuration with problems means is not known.
    let run = check_with(["-"], &files(&[("experiment: e6\n", "experiment: E7\n")]));
    assert!(run.code == Some(1) && run.lines.len() == 1 && run.lines[0].contains("experiment: found \"E7\""), "{:?}", run.lines);
    let other = GOOD.replace("[]", "[{\"name\": \"r\"}]");
    let run = check_with(["-".as_ref(), &*file("against", "other.json", &other)], &files(&[("experiment: e6\n", "experiment: E7\n")]));
    assert!(run.code == Some(1) && run.lines.iter().all(|line| !line.contains("label")), "{:?}", run.lines);
}

#[test]
fn new_and_old_files_may_be_many_and_workloads_stand_beside_the_plugin() {
    let test = "against-many";
    let part = |name: &str, text: &str, from: usize, to: usize| {
        let documents: Vec<&str> = text.split("---").collect();
        file(test, name, &documents[from..to].join("---"))
    };
    let (new, old) = (files(&[("a/fraud:6", "a/fraud:7")]), files(&[]));
    let plugin = part("plugin.yaml", &new, 0, 1);
    let (workloads, before) = (part("workloads.yaml", &new, 1, 8), part("before.yaml", &old, 1, 8));
    let flag = "--against".as_ref();
    let run = check([&*plugin, &workloads, flag, &before, flag, &plugin]);
    assert_eq!((run.code, run.lines.len()), (Some(1), 3), "{:#?}", run.lines);
    assert!(run.lines[0].contains("plugin.yaml: good: "), "{:?}", run.lines);
    assert!(
        run.lines[1].contains("workloads.yaml: document 1, Rollout ml/fraud: container model: image from a/fraud:6"),
        "{:?}",
        run.lines
    );
    // Without a configuration nobody knows what `experiment` means.
    let run = check([&*workloads, flag, &before]);
    assert_eq!((run.code, run.lines.len()), (Some(0), 1), "{:#?}", run.lines);
    assert!(run.lines[0].contains("nothing was checked"), "{:?}", run.lines);
    // In a list, as `kubectl get -o yaml` writes it.
    let list = |text: &str, name: &str| {
        let items = text.split("---").map(|item| format!("- {}", item.trim().replace('\n', "\n  "))).collect::<Vec<_>>();
        file(test, name, &format!("apiVersion: v1\nkind: List\nitems:\n{}\n", items.join("\n")))
    };
    let run = check([&*list(&new, "list.yaml"), flag, &list(&old, "old-list.yaml")]);
    assert!(run.code == Some(1) && run.lines[0].contains("document 1, Rollout ml/fraud: container model: image from"), "{:#?}", run.lines);
}

#[test]
fn old_files_that_tell_nothing_are_no_hindrance_but_unreadable_ones_are() {
    let test = "against-old";
    let new = file(test, "new.json", GOOD);
    for (name, old, code, line) in [
        ("service", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n", 0, ""),
        ("refused", "version: 1\nexperiment: E\nroutes: []\n", 0, ""),
        ("nothing", "", 0, ""),
        ("bracket", "a: [\n", 1, "bracket.yaml: neither YAML nor JSON"),
    ] {
        let run = check(["--against".as_ref(), &*file(test, &format!("{name}.yaml"), old), &new]);
        assert_eq!((run.code, run.lines.len()), (Some(code), if line.is_empty() { 1 } else { 2 }), "{name}: {:?}", run.lines);
        assert!(run.lines[0].contains(line), "{name}: {:?}", run.lines);
    }
    let run = check(["--against", "no/such/file.yaml"].map(std::path::Path::new).into_iter().chain([&*new]));
    assert!(run.code == Some(1) && run.lines[0].contains("no/such/file.yaml: this file can't be read"), "{:?}", run.lines);
}

#[test]
fn the_standard_input_is_a_file_once() {
    let run = check_with(["-"], GOOD);
    assert!(run.code == Some(0) && run.lines.len() == 1 && run.lines[0].starts_with("standard input: good: "), "{:?}", run.lines);
    let run = check_with(["-", "--against", "-"], GOOD);
    assert_eq!((run.code, run.lines.len()), (Some(2), 0), "{:?}", run.lines);
    assert!(run.errors.contains("- is given twice"), "{}", run.errors);
}
