//! Installed applications that take part: .desktop files with `X-Overwinter-Tier=native`.
//! Source: Desktop Entry Specification 1.5; XDG Base Directory Specification 0.8.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tracing::{debug, warn};

use crate::exec::{Exec, Names};

/// Largest .desktop file that is read; real ones have a few KiB.
const MAX_DESKTOP_FILE: u64 = 1 << 20;

/// Where things are looked for.
#[derive(Clone, Debug)]
pub struct Places {
    /// Folders with .desktop files, most important first: `applications` under XDG_DATA_HOME and each of XDG_DATA_DIRS.
    pub applications: Vec<PathBuf>,
    /// PATH.
    pub path: Vec<PathBuf>,
    /// Folder whose changes show that packages are being installed: `/var/lib/dpkg`.
    pub packages: Option<PathBuf>,
}

impl Places {
    /// As the environment says.
    pub fn from_env() -> Places {
        let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
        Places::from_vars(var)
    }

    fn from_vars(var: impl Fn(&str) -> Option<OsString>) -> Places {
        let home_data = var("XDG_DATA_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(var("HOME")?).join(".local/share")));
        let dirs = var("XDG_DATA_DIRS").unwrap_or_else(|| "/usr/local/share:/usr/share".into());
        let path = var("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        let applications = home_data
            .into_iter()
            .chain(std::env::split_paths(&dirs))
            // The specification: relative paths are to be ignored.
            .filter(|p| p.is_absolute())
            .map(|p| p.join("applications"))
            .collect();
        let packages = PathBuf::from("/var/lib/dpkg");
        Places {
            applications,
            path: std::env::split_paths(&path)
                .filter(|p| p.is_absolute())
                .collect(),
            packages: packages.is_dir().then_some(packages),
        }
    }
}

/// An installed application of the native tier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct App {
    /// Name of its .desktop file without the ending: `org.overwinter.Editor`.
    pub id: String,
    /// For people.
    pub name: String,
    /// Icon name or path.
    pub icon: Option<String>,
    /// `X-Overwinter-Version`; may be empty.
    pub version: String,
    /// How it is started.
    pub exec: Exec,
    /// The program's file as PATH finds it; `None` while it is missing.
    pub executable: Option<PathBuf>,
    /// Where this was read.
    pub desktop_file: PathBuf,
}

impl App {
    /// Command lines that open these files (paths or URIs); see [`Exec::command_lines`]. The program is `executable`, or, when
    /// given, `instead`: a kept older one.
    pub fn command_lines(&self, files: &[String], instead: Option<&Path>) -> Vec<Vec<String>> {
        let names = Names {
            icon: self.icon.as_deref(),
            name: &self.name,
            file: &self.desktop_file.to_string_lossy(),
        };
        let mut lines = self.exec.command_lines(files, names);
        let program = instead.or(self.executable.as_deref());
        for line in &mut lines {
            if let (Some(first), Some(program)) = (line.first_mut(), program) {
                *first = program.to_string_lossy().into_owned();
            }
        }
        lines
    }
}

/// Reads all applications, by id. A file that cannot be used is skipped with a warning; of two with the same id the more
/// important folder's counts, and `Hidden=true` there hides the other.
pub fn scan(places: &Places) -> BTreeMap<String, App> {
    let mut seen = BTreeSet::new();
    let mut apps = BTreeMap::new();
    for folder in &places.applications {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let file = entry.path();
            let Some(id) = file
                .file_name()
                .and_then(|n| n.to_str()?.strip_suffix(".desktop"))
            else {
                continue;
            };
            if !seen.insert(id.to_owned()) {
                continue;
            }
            match read(id, &file, &places.path) {
                Ok(Some(app)) => drop(apps.insert(id.to_owned(), app)),
                Ok(None) => {}
                Err(why) => warn!("{} is not used: {why}", file.display()),
            }
        }
    }
    apps
}

/// `Ok(None)`: not one of ours.
fn read(id: &str, file: &Path, path: &[PathBuf]) -> Result<Option<App>, String> {
    let meta = std::fs::metadata(file).map_err(|e| e.to_string())?;
    if !meta.is_file() || meta.len() > MAX_DESKTOP_FILE {
        return Err("it is not a file of a sensible size".into());
    }
    let bytes = std::fs::read(file).map_err(|e| e.to_string())?;
    // Other encodings occur in files that are not ours; they are none of our business.
    let keys = main_keys(&String::from_utf8_lossy(&bytes));
    let get = |key: &str| keys.get(key).map(String::as_str);
    if get("X-Overwinter-Tier") != Some("native") || get("Hidden") == Some("true") {
        return Ok(None);
    }
    let exec = get("Exec").ok_or("it has no Exec")?;
    let exec = Exec::parse(exec).map_err(|e| format!("Exec={exec}: {e}"))?;
    let executable = find(&exec.program(), path);
    if executable.is_none() {
        debug!("{id}: {} is not there (yet)", exec.program());
    }
    Ok(Some(App {
        id: id.to_owned(),
        name: get("Name").unwrap_or(id).to_owned(),
        icon: get("Icon").map(str::to_owned),
        version: get("X-Overwinter-Version").unwrap_or("").to_owned(),
        exec,
        executable,
        desktop_file: file.to_owned(),
    }))
}

/// Keys of the group `[Desktop Entry]`, without localized ones; of a key given twice the first counts.
fn main_keys(text: &str) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    let lines = text.lines().map(str::trim);
    let group = lines
        .skip_while(|l| *l != "[Desktop Entry]")
        .skip(1)
        .take_while(|l| !l.starts_with('['));
    for line in group.filter(|l| !l.starts_with('#')) {
        if let Some((key, value)) = line.split_once('=') {
            keys.entry(key.trim_end().to_owned())
                .or_insert_with(|| value.trim_start().to_owned());
        }
    }
    keys
}

/// Finds a program as execvp(3) would: as it is when it has a slash, else in PATH.
fn find(program: &str, path: &[PathBuf]) -> Option<PathBuf> {
    let runs = |p: &Path| {
        std::fs::metadata(p).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        let program = PathBuf::from(program);
        return (program.is_absolute() && runs(&program)).then_some(program);
    }
    path.iter().map(|p| p.join(program)).find(|p| runs(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(at: &Path) {
        std::fs::write(at, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(at, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn native_apps_are_found_and_the_more_important_folder_wins() {
        let root = tempfile::tempdir().unwrap();
        let (home, system, bin) = (
            root.path().join("h"),
            root.path().join("s"),
            root.path().join("bin"),
        );
        for folder in [&home, &system, &bin] {
            std::fs::create_dir(folder).unwrap();
        }
        program(&bin.join("edit"));
        let ours = "[Desktop Entry]\nName[de]=Schreiber\nName = Writer\n# X-Overwinter-Tier=freeze\nExec=edit %F\n\
                    X-Overwinter-Tier=native\nX-Overwinter-Version=1.0\n[Desktop Action new]\nExec=other\nName=New\n";
        std::fs::write(home.join("a.desktop"), ours).unwrap();
        std::fs::write(system.join("a.desktop"), ours.replace("Writer", "Old")).unwrap();
        std::fs::write(
            home.join("hidden.desktop"),
            format!("{}\n", ours.replace("Exec", "Hidden=true\nExec")),
        )
        .unwrap();
        std::fs::write(system.join("hidden.desktop"), ours).unwrap();
        std::fs::write(
            system.join("foreign.desktop"),
            ours.replace("X-Overwinter-Tier", "X-Tier"),
        )
        .unwrap();
        std::fs::write(
            system.join("broken.desktop"),
            ours.replace("edit %F", "edit $HOME"),
        )
        .unwrap();
        std::fs::write(
            system.join("missing.desktop"),
            ours.replace("edit", "not-there"),
        )
        .unwrap();
        std::fs::write(system.join("binary.desktop"), [0xff; 99]).unwrap();
        let places = Places {
            applications: vec![home, system, root.path().join("none")],
            path: vec![bin.clone()],
            packages: None,
        };
        let apps = scan(&places);
        assert_eq!(apps.keys().collect::<Vec<_>>(), ["a", "missing"]);
        let app = &apps["a"];
        assert_eq!((app.name.as_str(), app.version.as_str()), ("Writer", "1.0"));
        let exe = bin.join("edit").to_string_lossy().into_owned();
        assert_eq!(
            app.command_lines(&["/x".into()], None),
            [[exe.as_str(), "/x"]]
        );
        assert_eq!(
            app.command_lines(&[], Some(Path::new("/kept/edit"))),
            [["/kept/edit"]]
        );
        assert_eq!(apps["missing"].executable, None);
    }

    #[test]
    fn folders_come_from_the_environment_and_relative_ones_do_not_count() {
        let vars = BTreeMap::from([
            ("HOME", "/home/u"),
            ("XDG_DATA_DIRS", "/a:b:/c"),
            ("PATH", "/bin:."),
        ]);
        let places = Places::from_vars(|name| vars.get(name).map(Into::into));
        let expected = [
            "/home/u/.local/share/applications",
            "/a/applications",
            "/c/applications",
        ];
        assert_eq!(places.applications, expected.map(PathBuf::from));
        assert_eq!(places.path, [PathBuf::from("/bin")]);
    }
}
