//! The stage itself: are the two hosts of the move apart, and can they reach each other?

use anyhow::Result;
use overwinter_tests::host::Hosts;
use overwinter_tests::session::{Session, Wish};

#[test]
fn two_hosts_share_a_cable_and_nothing_else() -> Result<()> {
    let base = tempfile::Builder::new().prefix("ow-").tempdir()?;
    let mut hosts = Hosts::new(base.path())?;
    let a = Session::prepare(Wish {
        place: hosts.a.clone(),
        ..Wish::headless(base.path().join("a"))
    })?;
    let b = Session::prepare(Wish {
        place: hosts.b.clone(),
        ..Wish::headless(base.path().join("b"))
    })?;
    let secret = a.home().join("secret.txt");
    std::fs::write(&secret, "only on A")?;
    let bus_of_a = a.running("dbus-daemon")?;
    assert_eq!(bus_of_a.len(), 1, "{bus_of_a:?}");
    hosts.prove_apart(&secret, bus_of_a[0].pid)?;
    assert_eq!(b.running("dbus-daemon")?.len(), 1);

    let rsh = hosts.start_sshd(&b)?;
    let mut words = rsh.split_whitespace();
    let there = hosts
        .a
        .command(words.next().unwrap())
        .args(words)
        .args([
            hosts.name_of_b(),
            "echo $XDG_RUNTIME_DIR; hostname -I; ls",
            &secret.display().to_string(),
        ])
        .output()?;
    let said = String::from_utf8_lossy(&there.stdout).into_owned();
    assert!(said.contains(&b.runtime().display().to_string()), "{said}");
    assert!(said.contains(hosts.name_of_b()), "{said}");
    assert!(!said.contains("secret.txt"), "{said}");

    // Without the cable there is no way.
    hosts.set_cable(false)?;
    let mut words = rsh.split_whitespace();
    let cut = hosts
        .a
        .command(words.next().unwrap())
        .args(words)
        .args([hosts.name_of_b(), "true"])
        .output()?;
    assert!(!cut.status.success());
    Ok(())
}
