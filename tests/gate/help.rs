//! What the command says of itself.

use std::process::{Command, Output};

fn gnomon(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gnomon")).args(arguments).output().unwrap()
}

#[test]
fn every_command_has_help() {
    let all = String::from_utf8(gnomon(&["--help"]).stdout).unwrap();
    for (command, example) in [
        ("check", "Exits 1"),
        ("gate", "  gnomon gate --exp"),
        ("serve", "  gnomon serve --"),
        ("completions", "  gnomon completions bash"),
    ] {
        let help = gnomon(&[command, "--help"]);
        let text = String::from_utf8(help.stdout).unwrap();
        assert!(help.status.success() && text.contains(example) && all.contains(&format!("  {command}  ")), "{command}: {text}");
    }
}

#[test]
fn shells_complete_commands_and_options() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = gnomon(&["completions", shell]);
        let text = String::from_utf8(done.stdout).unwrap();
        assert!(done.status.success() && text.contains("serve") && text.contains("bearer-token-file"), "{shell}");
    }
    assert_eq!(gnomon(&["completions", "dos"]).status.code(), Some(2));
}
