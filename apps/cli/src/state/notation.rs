//! Values in CBOR diagnostic notation (RFC 8949 §8), for people: indented, one line for what fits on one, what is long cut
//! short. Cut or not, it says how much there is; uncut, it is the notation to the letter, with comments between slashes
//! and embedded CBOR between `<<` and `>>` (RFC 8610, appendix G).

use std::fmt::Write;

use overwinter::{Map, Value};

/// Longest line that a list or map is put on as a whole, in characters.
const LINE: usize = 100;
/// Longest text that is shown whole, in bytes; the beginning that is shown of a longer one.
const TEXT: (usize, usize) = (400, 160);
/// Longest bytes that are shown whole: a hash is.
const BYTES: (usize, usize) = (32, 16);
/// Longest list that is shown whole.
const ITEMS: (usize, usize) = (100, 20);

/// What stands for a secret in a body is a map with this name. Its value is kept apart; whatever stands here is not shown.
const SECRET: &str = "$secret";

/// Writes values.
pub struct Printer {
    /// Nothing is cut short.
    pub full: bool,
    text: String,
    depth: usize,
}

impl Printer {
    /// A printer that has printed nothing yet.
    pub fn new(full: bool) -> Printer {
        Printer {
            full,
            text: String::new(),
            depth: 0,
        }
    }

    /// What was printed.
    pub fn finish(self) -> String {
        self.text
    }

    /// A value, from where the line is now.
    pub fn value(&mut self, value: &Value) {
        match value {
            Value::List(items) => self.list(items),
            Value::Map(map) => self.map(map),
            scalar => self.scalar(scalar),
        }
    }

    /// A map whose entries are written by `entry`, each on a line of its own.
    pub fn lines<T>(
        &mut self,
        (open, close): (&str, &str),
        entries: &[T],
        mut entry: impl FnMut(&mut Self, &T),
    ) {
        self.text.push_str(open);
        self.depth += 1;
        for (n, item) in entries.iter().enumerate() {
            self.new_line();
            entry(self, item);
            if n + 1 < entries.len() {
                self.text.push(',');
            }
        }
        self.depth -= 1;
        if !entries.is_empty() {
            self.new_line();
        }
        self.text.push_str(close);
    }

    /// `"name": `
    pub fn key(&mut self, name: &str) {
        self.quoted(name);
        self.text.push_str(": ");
    }

    /// ` / words /`
    pub fn comment(&mut self, words: &str) {
        // A slash would end it.
        let _ = write!(self.text, " / {} /", words.replace('/', "∕"));
    }

    /// Something in the notation itself.
    pub fn verbatim(&mut self, notation: &str) {
        self.text.push_str(notation);
    }

    fn new_line(&mut self) {
        self.text.push('\n');
        for _ in 0..self.depth {
            self.text.push_str("  ");
        }
    }

    fn list(&mut self, items: &[Value]) {
        if self.on_one_line(|p| p.flat_list(items)) {
            return;
        }
        let shown = match items.get(..ITEMS.1) {
            Some(first) if !self.full && items.len() > ITEMS.0 => first,
            _ => items,
        };
        self.lines(("[", ""), shown, |p, item| p.value(item));
        let cut = items.len() - shown.len();
        if cut > 0 {
            // Within the list, beneath its last item.
            self.text.truncate(self.text.trim_end().len());
            self.text.push(',');
            self.depth += 1;
            self.new_line();
            self.text.push_str("...");
            self.comment(&format!("{cut} more of {} items", items.len()));
            self.depth -= 1;
            self.new_line();
        }
        self.text.push(']');
    }

    fn map(&mut self, map: &Map) {
        if self.on_one_line(|p| p.flat_map(map)) {
            return;
        }
        let entries: Vec<_> = map.iter().collect();
        self.lines(("{", "}"), &entries, |p, (name, value)| {
            p.key(name);
            match *name {
                SECRET => p.masked(),
                _ => p.value(value),
            }
        });
    }

    /// Keeps what `flat` has written if it fits; it gives up by false as soon as it cannot.
    fn on_one_line(&mut self, flat: impl FnOnce(&mut Self) -> bool) -> bool {
        let before = self.text.len();
        let fits = flat(self) && self.column() <= LINE;
        if !fits {
            self.text.truncate(before);
        }
        fits
    }

    /// How wide the last line is, in characters.
    fn column(&self) -> usize {
        let line = self.text.rsplit('\n').next().unwrap_or_default();
        line.chars().count()
    }

    fn flat(&mut self, value: &Value) -> bool {
        match value {
            Value::List(items) => self.flat_list(items),
            Value::Map(map) => self.flat_map(map),
            Value::Text(text) if text.len() > LINE => false,
            scalar => {
                self.scalar(scalar);
                true
            }
        }
    }

    fn flat_list(&mut self, items: &[Value]) -> bool {
        // Each takes two characters at least.
        if items.len() > LINE / 2 {
            return false;
        }
        self.text.push('[');
        for (n, item) in items.iter().enumerate() {
            self.comma(n);
            if !self.flat(item) {
                return false;
            }
        }
        self.text.push(']');
        true
    }

    fn flat_map(&mut self, map: &Map) -> bool {
        if map.len() > LINE / 2 {
            return false;
        }
        self.text.push('{');
        for (n, (name, value)) in map.iter().enumerate() {
            self.comma(n);
            self.key(name);
            if name == SECRET {
                self.masked();
            } else if name.len() > LINE || !self.flat(value) {
                return false;
            }
        }
        self.text.push('}');
        true
    }

    fn masked(&mut self) {
        self.text.push_str("...");
        self.comment("a secret, kept apart");
    }

    fn comma(&mut self, n: usize) {
        if n > 0 {
            self.text.push_str(", ");
        }
    }

    fn scalar(&mut self, value: &Value) {
        match value {
            Value::Bool(v) => self.text.push_str(if *v { "true" } else { "false" }),
            Value::Int(v) => {
                let _ = write!(self.text, "{v}");
            }
            Value::Float(v) => self.float(*v),
            Value::Text(v) => self.long_text(v),
            Value::Bytes(v) => self.bytes(v),
            Value::Null | Value::List(_) | Value::Map(_) => self.text.push_str("null"),
        }
    }

    fn float(&mut self, v: f64) {
        let _ = match v {
            v if v.is_nan() => write!(self.text, "NaN"),
            v if v.is_infinite() && v > 0.0 => write!(self.text, "Infinity"),
            v if v.is_infinite() => write!(self.text, "-Infinity"),
            // With a point or an exponent, so that it is not taken for a whole number.
            v => write!(self.text, "{v:?}"),
        };
    }

    fn long_text(&mut self, v: &str) {
        if self.full || v.len() <= TEXT.0 {
            return self.quoted(v);
        }
        let end = (0..=TEXT.1)
            .rev()
            .find(|at| v.is_char_boundary(*at))
            .unwrap_or_default();
        self.quoted(v.get(..end).unwrap_or_default());
        self.text.push_str(" ...");
        self.comment(&format!("{} bytes of text", v.len()));
    }

    fn bytes(&mut self, v: &[u8]) {
        let shown = match v.get(..BYTES.1) {
            Some(first) if !self.full && v.len() > BYTES.0 => first,
            _ => v,
        };
        self.text.push_str("h'");
        for byte in shown {
            let _ = write!(self.text, "{byte:02x}");
        }
        self.text.push('\'');
        if shown.len() < v.len() {
            self.text.push_str(" ...");
            self.comment(&format!("{} bytes", v.len()));
        }
    }

    /// Text as JSON quotes it. It is an app's or a stranger's: it may not move the cursor about or turn the line round.
    fn quoted(&mut self, v: &str) {
        self.text.push('"');
        for c in v.chars() {
            match c {
                '"' | '\\' => {
                    self.text.push('\\');
                    self.text.push(c);
                }
                '\n' => self.text.push_str("\\n"),
                '\t' => self.text.push_str("\\t"),
                c if c.is_control() || turns_lines_round(c) => {
                    let _ = write!(self.text, "\\u{:04x}", u32::from(c));
                }
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }
}

/// Unicode's marks that change the direction of what follows, and its own line ends.
fn turns_lines_round(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &Value, full: bool) -> String {
        let mut printer = Printer::new(full);
        printer.value(value);
        printer.finish()
    }

    #[test]
    fn scalars_are_those_of_the_standard() {
        // From RFC 8949, appendix A.
        let cases = [
            (
                Value::Int(-18_446_744_073_709_551_616),
                "-18446744073709551616",
            ),
            (Value::Float(1.0), "1.0"),
            (Value::Float(1.0e300), "1e300"),
            (Value::Float(-4.1), "-4.1"),
            (Value::Float(f64::NAN), "NaN"),
            (Value::Float(f64::NEG_INFINITY), "-Infinity"),
            (Value::Null, "null"),
            (Value::Bytes(vec![1, 2, 3, 4]), "h'01020304'"),
            (Value::Text("\"\\".into()), r#""\"\\""#),
            (Value::Text("ü水".into()), "\"ü水\""),
        ];
        for (value, expected) in cases {
            assert_eq!(shown(&value, false), expected);
        }
    }

    #[test]
    fn what_is_long_is_cut_and_says_how_long_it_is() {
        assert_eq!(
            shown(&Value::Bytes(vec![0xab; 33]), false),
            format!("h'{}' ... / 33 bytes /", "ab".repeat(16))
        );
        let text = Value::Text("ü".repeat(1000));
        assert_eq!(
            shown(&text, false),
            format!("\"{}\" ... / 2000 bytes of text /", "ü".repeat(80))
        );
        assert_eq!(shown(&text, true).chars().count(), 1002);
        let list = Value::List((0..101).map(Value::Int).collect());
        let cut = shown(&list, false);
        assert!(
            cut.ends_with("  19,\n  ... / 81 more of 101 items /\n]"),
            "{cut}"
        );
        assert!(shown(&list, true).ends_with("  100\n]"));
    }

    #[test]
    fn what_fits_stands_on_one_line() {
        let mut point = Map::new();
        point.insert("x", 1.5);
        point.insert("y", Value::List(Vec::new()));
        let point = Value::Map(point);
        assert_eq!(shown(&point, false), r#"{"x": 1.5, "y": []}"#);
        let points = Value::List(vec![point; 6]);
        let lines = shown(&points, false);
        assert_eq!(lines.lines().count(), 8);
        assert_eq!(lines.lines().nth(1), Some(r#"  {"x": 1.5, "y": []},"#));
    }

    #[test]
    fn a_secret_is_masked_even_where_somebody_put_it_in_plain() {
        let mut secret = Map::new();
        secret.insert("$secret", "correct horse");
        let mut wide = secret.clone();
        wide.insert("text", "w".repeat(200));
        for full in [false, true] {
            assert_eq!(
                shown(&Value::Map(secret.clone()), full),
                r#"{"$secret": ... / a secret, kept apart /}"#
            );
            assert!(!shown(&Value::Map(wide.clone()), full).contains("horse"));
        }
    }

    #[test]
    fn no_text_reaches_the_terminal_with_its_control_characters() {
        let mut map = Map::new();
        map.insert("\u{1b}[2J", "a\u{202e}b\r\u{9b}");
        assert_eq!(
            shown(&Value::Map(map), true),
            r#"{"\u001b[2J": "a\u202eb\u000d\u009b"}"#
        );
    }
}
