//! The `Exec` key of a .desktop file: quoting and field codes.
//! Source: Desktop Entry Specification 1.5, "The Exec key" and "Possible value types" (string escapes).

/// A parsed `Exec` value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exec {
    arguments: Vec<Vec<Part>>,
}

/// A piece of an argument.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Text(String),
    /// `%f`, `%F`, `%u`, `%U`, `%i`, `%c`, `%k`.
    Code(char),
}

/// Why an `Exec` value cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ExecError {
    /// A `"` without its partner.
    #[error("a quotation mark is never closed")]
    OpenQuote,
    /// A reserved character outside quotation marks.
    #[error("the character {0:?} must be within quotation marks")]
    Reserved(char),
    /// A `%` with an unknown letter.
    #[error("there is no field code %{0}")]
    UnknownCode(char),
    /// A `%` or `\` at the end.
    #[error("it ends in the middle of `{0}`")]
    Unfinished(char),
    /// `%F` or `%U` glued to other text, or more than one code for files.
    #[error("{0}")]
    Misplaced(&'static str),
    /// Nothing to run.
    #[error("no program is named")]
    Empty,
}

/// What field codes other than files stand for.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// `%i`: value of `Icon`, if any.
    pub icon: Option<&'a str>,
    /// `%c`: name of the app.
    pub name: &'a str,
    /// `%k`: where the .desktop file is.
    pub file: &'a str,
}

impl Exec {
    /// Parses the raw value as it stands after `Exec=`.
    ///
    /// # Errors
    /// See [`ExecError`]; such an app is not offered.
    pub fn parse(raw: &str) -> Result<Exec, ExecError> {
        let value = unescape(raw)?;
        let mut arguments = Vec::new();
        let mut chars = value.chars().peekable();
        while let Some(&c) = chars.peek() {
            if c == ' ' {
                chars.next();
            } else {
                let parts = argument(&mut chars)?;
                // Only a deprecated code, which stands for nothing at all.
                if !parts.is_empty() {
                    arguments.push(parts);
                }
            }
        }
        let is_files = |p: &Part| matches!(p, Part::Code('f' | 'F' | 'u' | 'U'));
        let glued = |a: &Vec<Part>| {
            a.len() > 1 && a.iter().any(|p| matches!(p, Part::Code('F' | 'U' | 'i')))
        };
        if arguments.iter().any(glued) {
            return Err(ExecError::Misplaced(
                "%F, %U and %i stand for whole arguments",
            ));
        }
        if arguments.iter().flatten().filter(|p| is_files(p)).count() > 1 {
            return Err(ExecError::Misplaced(
                "at most one of %f, %F, %u, %U may be used",
            ));
        }
        match arguments.first() {
            Some(program) if program.iter().all(|p| matches!(p, Part::Text(_))) => {
                Ok(Exec { arguments })
            }
            Some(_) => Err(ExecError::Misplaced(
                "the program itself has no field codes",
            )),
            None => Err(ExecError::Empty),
        }
    }

    /// The program as written: a path or a name to be found in PATH.
    pub fn program(&self) -> String {
        self.arguments.first().map_or_else(String::new, |parts| {
            parts
                .iter()
                .map(|p| match p {
                    Part::Text(t) => t.as_str(),
                    Part::Code(_) => "",
                })
                .collect()
        })
    }

    /// The command lines for these files (paths or URIs): one, or one for each file when the app takes one at a time
    /// (`%f`, `%u`). An app without a code for files is started once and gets none.
    pub fn command_lines(&self, files: &[String], names: Names<'_>) -> Vec<Vec<String>> {
        let one_at_a_time = self
            .arguments
            .iter()
            .flatten()
            .any(|p| matches!(p, Part::Code('f' | 'u')));
        if one_at_a_time && files.len() > 1 {
            let single = |file: &String| self.command_line(std::slice::from_ref(file), names);
            return files.iter().map(single).collect();
        }
        vec![self.command_line(files, names)]
    }

    fn command_line(&self, files: &[String], names: Names<'_>) -> Vec<String> {
        let mut line = Vec::new();
        for argument in &self.arguments {
            match argument.as_slice() {
                [Part::Code('F')] => line.extend(files.iter().map(|f| as_path(f))),
                [Part::Code('U')] => line.extend(files.iter().cloned()),
                [Part::Code('f' | 'u')] if files.is_empty() => {}
                [Part::Code('i')] => {
                    if let Some(icon) = names.icon.filter(|i| !i.is_empty()) {
                        line.extend(["--icon".to_owned(), icon.to_owned()]);
                    }
                }
                parts => line.push(parts.iter().map(|p| expand(p, files, names)).collect()),
            }
        }
        line
    }
}

fn expand(part: &Part, files: &[String], names: Names<'_>) -> String {
    let first = || files.first().map_or("", String::as_str);
    match part {
        Part::Text(text) => text.clone(),
        Part::Code('f') => as_path(first()),
        Part::Code('u') => first().to_owned(),
        Part::Code('c') => names.name.to_owned(),
        Part::Code('k') => names.file.to_owned(),
        Part::Code(_) => String::new(),
    }
}

/// The string escapes of a .desktop file: `\s \n \t \r \\`. A backslash before anything else stays: it belongs to the quoting.
fn unescape(raw: &str) -> Result<String, ExecError> {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.trim().chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next().ok_or(ExecError::Unfinished('\\'))? {
            's' => out.push(' '),
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            '\\' => out.push('\\'),
            other => out.extend(['\\', other]),
        }
    }
    Ok(out)
}

/// Reads one argument, up to a space outside quotation marks.
fn argument(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Vec<Part>, ExecError> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut quoted = false;
    let mut any_quotes = false;
    loop {
        let Some(c) = chars.next() else {
            if quoted {
                return Err(ExecError::OpenQuote);
            }
            break;
        };
        match c {
            '"' => {
                quoted = !quoted;
                any_quotes = true;
            }
            '\\' if quoted => text.push(chars.next().ok_or(ExecError::Unfinished('\\'))?),
            // "Field codes must not be used inside a quoted argument, the result is undefined": here they are text, except
            // that %% is one %.
            '%' if quoted => {
                text.push('%');
                chars.next_if_eq(&'%');
            }
            '%' => match chars.next().ok_or(ExecError::Unfinished('%'))? {
                '%' => text.push('%'),
                // Deprecated codes are removed.
                'd' | 'D' | 'n' | 'N' | 'v' | 'm' => {}
                code @ ('f' | 'F' | 'u' | 'U' | 'i' | 'c' | 'k') => {
                    if !text.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut text)));
                    }
                    parts.push(Part::Code(code));
                }
                other => return Err(ExecError::UnknownCode(other)),
            },
            ' ' if !quoted => break,
            '\t' | '\n' | '\'' | '\\' | '>' | '<' | '~' | '|' | '&' | ';' | '$' | '*' | '?'
            | '#' | '(' | ')' | '`'
                if !quoted =>
            {
                return Err(ExecError::Reserved(c));
            }
            other => text.push(other),
        }
    }
    if !text.is_empty() || (any_quotes && parts.is_empty()) {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

/// The path that a `file:` URI of this host names; other text is left as it is.
fn as_path(file: &str) -> String {
    let Some(rest) = file.strip_prefix("file://") else {
        return file.to_owned();
    };
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    let mut bytes = Vec::with_capacity(path.len());
    let mut input = path.bytes();
    while let Some(b) = input.next() {
        let mut ahead = input.clone();
        let hex = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        match (b, hex(ahead.next()), hex(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                input = ahead;
            }
            _ => bytes.push(b),
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| file.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names<'_> = Names {
        icon: Some("pen"),
        name: "My Editor",
        file: "/apps/e.desktop",
    };

    fn lines(exec: &str, files: &[&str]) -> Vec<Vec<String>> {
        let files: Vec<String> = files.iter().map(|s| (*s).to_owned()).collect();
        Exec::parse(exec).unwrap().command_lines(&files, NAMES)
    }

    #[test]
    fn field_codes_become_files_uris_and_names() {
        assert_eq!(
            lines("e %F", &["/a b", "file:///c%20d"]),
            [["e", "/a b", "/c d"]]
        );
        assert_eq!(
            lines("e %U", &["/a", "file:///c%20d"]),
            [["e", "/a", "file:///c%20d"]]
        );
        assert_eq!(
            lines("e --in=%f x", &["/a", "/b"]),
            [["e", "--in=/a", "x"], ["e", "--in=/b", "x"]]
        );
        assert_eq!(lines("e %u", &[]), [["e"]]);
        assert_eq!(lines("e", &["/a"]), [["e"]]);
        assert_eq!(
            lines("e %i %c %k 100%%", &[]),
            [["e", "--icon", "pen", "My Editor", "/apps/e.desktop", "100%"]]
        );
        assert_eq!(lines("e %m x", &[]), [["e", "x"]]);
    }

    #[test]
    fn quoting_follows_the_specification() {
        assert_eq!(
            lines(r#""/opt/my app/e" "a \\$b" "" "%f""#, &["/x"]),
            [["/opt/my app/e", "a $b", "", "%f"]]
        );
        assert_eq!(
            lines(r#"e "say \\"hi\\" \\\\ \\`x\\`""#, &[]),
            [["e", r#"say "hi" \ `x`"#]]
        );
        assert_eq!(
            Exec::parse(r#""/opt/my app/e" x"#).unwrap().program(),
            "/opt/my app/e"
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        use ExecError::*;
        for (bad, error) in [
            ("", Empty),
            ("   ", Empty),
            ("e \"x", OpenQuote),
            ("e $HOME", Reserved('$')),
            ("e 'x'", Reserved('\'')),
            ("e %q", UnknownCode('q')),
            ("e %", Unfinished('%')),
            ("e \\", Unfinished('\\')),
        ] {
            assert_eq!(Exec::parse(bad), Err(error), "{bad}");
        }
        for bad in ["e x%F", "e %f %U", "%f"] {
            assert!(matches!(Exec::parse(bad), Err(Misplaced(_))), "{bad}");
        }
    }

    #[test]
    fn a_uri_of_odd_bytes_stays_what_it_was() {
        assert_eq!(as_path("file:///a%zz%2"), "/a%zz%2");
        assert_eq!(as_path("file:///a%ff"), "file:///a%ff");
        assert_eq!(as_path("https://x/%20"), "https://x/%20");
    }
}
