//! Hosts made of namespaces: two network namespaces joined by a cable, the second with its own process and mount namespaces
//! in which the first one's files cannot be read, and an sshd of its own.
//!
//! Needs root (or to be run by sudo). The machine's own network namespace is not touched; both hosts end with the process
//! that made them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, BufReader};

use crate::place::{Place, programs};
use crate::session::Session;
use crate::wait;

/// Addresses of the cable's two ends: private, and in namespaces of our own besides.
const A: &str = "10.213.0.1";
const B: &str = "10.213.0.2";

/// Two hosts that can reach each other and nothing else.
#[derive(Debug)]
pub struct Hosts {
    /// The first: this machine's files and processes, its own network.
    pub a: Place,
    /// The second: its own network, processes and files.
    pub b: Place,
    base: PathBuf,
    sshd: Option<Child>,
    // Dropped last: the namespaces end with their first process, and that ends with its standard input.
    holder_b: Child,
    holder_a: Child,
}

impl Hosts {
    /// Makes both. `base` is the folder in which host A will keep all its things; on B an empty folder of its own lies
    /// over it.
    ///
    /// # Errors
    /// Without root, or when a namespace, the cable or a mount cannot be made.
    pub fn new(base: &Path) -> Result<Self> {
        ensure!(
            rustix::process::geteuid().is_root(),
            "host B needs root, for namespaces, a network cable between them and an sshd: run it by sudo"
        );
        let holder_a = hold(
            Command::new("unshare").args(["--net", "--kill-child", "--fork"]),
            "ip link set lo up && echo ready && exec cat",
        )?;
        let pid_a = child_of(&holder_a)?;
        let script = format!(
            "set -e; mount -t proc proc /proc; mount -t tmpfs -o mode=755 tmpfs /run; mkdir -m 755 /run/sshd; \
             mount -t tmpfs -o mode=700 tmpfs '{}'; ip link set lo up; echo ready; exec cat",
            base.display()
        );
        let holder_b = hold(
            Command::new("unshare").args([
                "--mount",
                "--pid",
                "--net",
                "--fork",
                "--kill-child",
                "--propagation",
                "private",
            ]),
            &script,
        )?;
        let pid_b = child_of(&holder_b)?;
        let hosts = Hosts {
            a: enter(pid_a, &["--net"], PathBuf::from("/")),
            b: enter(
                pid_b,
                &["--mount", "--pid", "--net"],
                PathBuf::from(format!("/proc/{pid_b}/root")),
            ),
            base: base.to_path_buf(),
            sshd: None,
            holder_b,
            holder_a,
        };
        hosts.lay_cable(pid_b)?;
        Ok(hosts)
    }

    /// Starts host B's sshd for a session there, and gives the remote shell with which host A's user reaches it.
    ///
    /// # Errors
    /// When sshd does not answer.
    pub fn start_sshd(&mut self, b: &Session) -> Result<String> {
        let keys_a = self.base.join("ssh-a");
        fs::create_dir_all(&keys_a)?;
        let keys_b = b.base().join("ssh");
        let keys_b_here = self.b.path(&keys_b);
        fs::create_dir_all(&keys_b_here)?;
        fs::set_permissions(&keys_b_here, fs::Permissions::from_mode(0o700))?;
        make_key(&keys_b_here.join("host"))?;
        make_key(&keys_a.join("user"))?;
        fs::copy(keys_a.join("user.pub"), keys_b_here.join("authorized"))?;
        let host_key = fs::read_to_string(keys_b_here.join("host.pub"))?;
        fs::write(keys_a.join("known"), format!("{B} {host_key}"))?;

        let mut sets = String::new();
        for name in ["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"] {
            let command = b.command("true");
            let value = command
                .get_envs()
                .find(|(n, _)| *n == name)
                .and_then(|(_, v)| v)
                .map(|v| v.to_string_lossy().into_owned())
                .unwrap_or_default();
            sets += &format!(" {name}={value}");
        }
        let keys = keys_b.display();
        fs::write(
            keys_b_here.join("config"),
            format!(
                "ListenAddress {B}\nPort 22\nHostKey {keys}/host\nAuthorizedKeysFile {keys}/authorized\n\
                 PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
                 UsePAM no\nStrictModes no\nPidFile none\nSetEnv{sets}\n"
            ),
        )?;
        let mut command = self.b.command("/usr/sbin/sshd");
        let log = fs::File::create(self.b.path(&b.base().join("log/sshd.log")))?;
        command
            .args(["-D", "-e", "-f"])
            .arg(keys_b.join("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.sshd = Some(command.spawn().context("starting sshd")?);

        let rsh = format!(
            "ssh -F none -i {0}/user -o UserKnownHostsFile={0}/known -o GlobalKnownHostsFile=none \
             -o StrictHostKeyChecking=yes -o BatchMode=yes -o ConnectTimeout=5 -o ServerAliveInterval=1 \
             -o ServerAliveCountMax=3",
            keys_a.display()
        );
        wait::until("host B's sshd lets us in", || {
            let mut words = rsh.split_whitespace();
            let mut command = self.a.command(words.next().unwrap_or("ssh"));
            let output = command
                .args(words)
                .args([B, "echo", "in"])
                .stdin(Stdio::null())
                .output()?;
            ensure!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
            Ok(Some(()))
        })?;
        Ok(rsh)
    }

    /// How A names B.
    pub fn name_of_b(&self) -> &'static str {
        B
    }

    /// `overwinter` as it is to be called on B.
    pub fn program_on_b(&self) -> String {
        programs().join("overwinter").display().to_string()
    }

    /// Proves that B is another host: what A wrote cannot be read there, A's processes cannot be seen.
    ///
    /// # Errors
    /// Names what could be seen.
    pub fn prove_apart(&self, secret_of_a: &Path, pid_of_a: u32) -> Result<()> {
        ensure!(
            secret_of_a.exists(),
            "{} is not even on A",
            secret_of_a.display()
        );
        let read = self.b.command("/bin/cat").arg(secret_of_a).output()?;
        ensure!(
            !read.status.success(),
            "B can read {}",
            secret_of_a.display()
        );
        let look = self.b.command("/bin/ls").arg("/proc").output()?;
        let listing = String::from_utf8_lossy(&look.stdout).into_owned();
        let numbers: Vec<u32> = listing
            .split_whitespace()
            .filter_map(|n| n.parse().ok())
            .collect();
        ensure!(
            !numbers.is_empty() && numbers.len() < 64,
            "B sees {} processes",
            numbers.len()
        );
        let exe = self
            .b
            .command("/bin/readlink")
            .arg(format!("/proc/{pid_of_a}/exe"))
            .output()?;
        let there = fs::read_link(format!("/proc/{pid_of_a}/exe")).unwrap_or_default();
        ensure!(
            String::from_utf8_lossy(&exe.stdout).trim() != there.to_string_lossy(),
            "B sees A's process {pid_of_a}"
        );
        let ours = fs::read_link("/proc/self/ns/net")?;
        for place in [&self.a, &self.b] {
            let theirs = place
                .command("/bin/readlink")
                .arg("/proc/self/ns/net")
                .output()?;
            ensure!(
                String::from_utf8_lossy(&theirs.stdout).trim() != ours.to_string_lossy(),
                "a host shares this machine's network"
            );
        }
        Ok(())
    }

    /// Pulls the cable, or plugs it in again.
    ///
    /// # Errors
    /// When `ip` fails.
    pub fn set_cable(&self, plugged: bool) -> Result<()> {
        ip(
            &self.a,
            &["link", "set", "cable", if plugged { "up" } else { "down" }],
        )
    }

    fn lay_cable(&self, pid_b: u32) -> Result<()> {
        let pid = pid_b.to_string();
        ip(
            &self.a,
            &[
                "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", &pid,
            ],
        )?;
        for (place, address) in [(&self.a, A), (&self.b, B)] {
            ip(
                place,
                &["address", "add", &format!("{address}/30"), "dev", "cable"],
            )?;
            ip(place, &["link", "set", "cable", "up"])?;
        }
        Ok(())
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for child in [
            self.sshd.as_mut(),
            Some(&mut self.holder_b),
            Some(&mut self.holder_a),
        ]
        .into_iter()
        .flatten()
        {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts the first process of a host; it lives as long as we hold its standard input.
fn hold(unshare: &mut Command, script: &str) -> Result<Child> {
    let mut child = unshare
        .args(["sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting unshare")?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    if line.trim() != "ready" {
        let _ = child.kill();
        let _ = child.wait();
        bail!("the namespaces of a host cannot be made");
    }
    Ok(child)
}

/// The forked process inside the namespaces.
fn child_of(unshare: &Child) -> Result<u32> {
    let pid = unshare.id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let first = children
        .split_whitespace()
        .next()
        .context("unshare has no child")?;
    Ok(first.parse()?)
}

fn enter(pid: u32, which: &[&str], root: PathBuf) -> Place {
    let mut prefix = vec!["nsenter".to_owned(), format!("--target={pid}")];
    prefix.extend(which.iter().map(|w| (*w).to_owned()));
    prefix.push("--".into());
    Place::inside(prefix, root)
}

fn ip(place: &Place, arguments: &[&str]) -> Result<()> {
    let output = place
        .command("/usr/sbin/ip")
        .args(arguments)
        .output()
        .context("starting ip")?;
    ensure!(
        output.status.success(),
        "ip {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

fn make_key(file: &Path) -> Result<()> {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .context("starting ssh-keygen")?;
    ensure!(
        made.status.success(),
        "ssh-keygen: {}",
        String::from_utf8_lossy(&made.stderr)
    );
    Ok(())
}

/// How long a move may take before the fixture gives up.
pub const MOVE: Duration = Duration::from_secs(120);
