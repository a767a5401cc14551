//! Values as a person reads them at a terminal: tables, maps as lines, command results with status and errors.

use rhai::{Array, Blob, Dynamic, Engine, FnPtr, Map};

use crate::host::Output;
use crate::report::Paint;
use crate::report::redact::MASK;
use crate::script::{Secret, text_of};

/// How wide a cell of a table may be.
const CELL: usize = 40;

/// The space that there is, and whether colours are shown.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// Columns.
    pub width: usize,
    /// Lines of a value, the rest of which is left out; none for all of them.
    pub lines: Option<usize>,
    /// Colours.
    pub paint: Paint,
}

/// A value as lines for the screen; nothing for `()`.
pub fn show(engine: &Engine, value: &Dynamic, screen: Screen) -> Option<String> {
    if value.is_unit() {
        return None;
    }
    let text = Shown { engine, screen }.value(value);
    Some(match screen.lines {
        Some(most) => cut(&text, most),
        None => text,
    })
}

struct Shown<'a> {
    engine: &'a Engine,
    screen: Screen,
}

impl Shown<'_> {
    fn value(&self, value: &Dynamic) -> String {
        if let Some(output) = value.read_lock::<Output>() {
            return self.output(&output);
        }
        if let Some(array) = value.read_lock::<Array>()
            && let Some(table) = self.table(&array)
        {
            return table;
        }
        // A text of several lines was made to be read as it is.
        if let Some(text) = value.read_lock::<rhai::ImmutableString>()
            && text.contains('\n')
        {
            return text.to_string();
        }
        let inline = self.inline(value);
        if inline.chars().count() <= self.screen.width && !inline.contains('\n') {
            return inline;
        }
        let mut lines = Vec::new();
        self.block(value, 0, &mut lines);
        if lines.is_empty() { inline } else { lines.join("\n") }
    }

    /// What a command said, then its errors and how it ended where it failed.
    fn output(&self, output: &Output) -> String {
        let mut parts = vec![output.text()];
        let errors = output.error_text();
        if !errors.is_empty() {
            parts.push(self.screen.paint.bad(&errors));
        }
        if output.timed_out {
            parts.push(self.screen.paint.bad("stopped: its time was up"));
        } else if output.status != 0 {
            parts.push(self.screen.paint.bad(&format!("exit status {}", output.status)));
        }
        parts.retain(|part| !part.is_empty());
        if parts.is_empty() { self.screen.paint.aside("no output, exit status 0") } else { parts.join("\n") }
    }

    /// A list of maps, one a row.
    fn table(&self, rows: &Array) -> Option<String> {
        let maps: Vec<Map> = rows.iter().map(|row| row.clone().try_cast::<Map>()).collect::<Option<_>>()?;
        let mut columns: Vec<String> = Vec::new();
        for key in maps.iter().flat_map(|map| map.keys()) {
            if !columns.iter().any(|column| column == key.as_str()) {
                columns.push(key.to_string());
            }
        }
        // What a row is called comes first.
        columns.sort_by_key(|column| (column != "name", column != "host"));
        if maps.is_empty() || columns.is_empty() {
            return None;
        }
        let cell = |map: &Map, column: &String| match map.get(column.as_str()) {
            Some(value) => clipped(&self.cell(value), CELL),
            None => String::new(),
        };
        let cells: Vec<Vec<String>> =
            maps.iter().map(|map| columns.iter().map(|column| cell(map, column)).collect()).collect();
        let width = |index: usize| {
            let widest = cells.iter().map(|row| row[index].chars().count()).max().unwrap_or(0);
            widest.max(columns[index].chars().count())
        };
        let widths: Vec<usize> = (0..columns.len()).map(width).collect();
        let line = |row: &[String]| {
            let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            clipped(padded.join("  ").trim_end(), self.screen.width)
        };
        let title = self.screen.paint.title(&line(&columns));
        Some(std::iter::once(title).chain(cells.iter().map(|row| line(row))).collect::<Vec<_>>().join("\n"))
    }

    /// A value in a cell: a text without quotes.
    fn cell(&self, value: &Dynamic) -> String {
        match value.read_lock::<rhai::ImmutableString>() {
            Some(text) => text.replace('\n', " "),
            None if value.is_unit() => String::new(),
            None => self.inline(value).replace('\n', " "),
        }
    }

    /// A value in one line, as it would be written in a script where that is possible.
    fn inline(&self, value: &Dynamic) -> String {
        // Not even its length shows in how the rest is laid out.
        if value.is::<Secret>() {
            return MASK.to_owned();
        }
        if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
            return format!("{:?}", text.as_str());
        }
        if let Some(array) = value.read_lock::<Array>() {
            let items: Vec<String> = array.iter().map(|item| self.inline(item)).collect();
            return format!("[{}]", items.join(", "));
        }
        if let Some(map) = value.read_lock::<Map>() {
            let entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{}: {}", name(key), self.inline(value))).collect();
            return if entries.is_empty() { "#{}".to_owned() } else { format!("#{{ {} }}", entries.join(", ")) };
        }
        if let Some(function) = value.read_lock::<FnPtr>() {
            return if function.is_anonymous() {
                "a closure".to_owned()
            } else {
                format!("the function {}", function.fn_name())
            };
        }
        if let Some(bytes) = value.read_lock::<Blob>() {
            return format!("{} bytes", bytes.len());
        }
        if value.is_unit() {
            return "()".to_owned();
        }
        text_of(self.engine, value.clone()).unwrap_or_else(|_| value.to_string())
    }

    /// A map or a list on lines of its own, what is in it further to the right.
    fn block(&self, value: &Dynamic, depth: usize, lines: &mut Vec<String>) {
        let indent = "  ".repeat(depth);
        let mut entry = |label: String, value: &Dynamic| {
            let inline = self.inline(value);
            if indent.len() + label.chars().count() + 1 + inline.chars().count() <= self.screen.width
                || !(value.is_map() || value.is_array())
            {
                lines.push(format!("{indent}{label} {inline}"));
            } else {
                lines.push(format!("{indent}{label}"));
                self.block(value, depth + 1, lines);
            }
        };
        if let Some(map) = value.read_lock::<Map>() {
            map.iter().for_each(|(key, value)| entry(format!("{}:", name(key)), value));
        } else if let Some(array) = value.read_lock::<Array>() {
            array.iter().for_each(|item| entry("-".to_owned(), item));
        }
    }
}

/// A key as scripts write it.
fn name(key: &str) -> String {
    if rhai::is_valid_identifier(key) { key.to_owned() } else { format!("{key:?}") }
}

fn clipped(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// The first lines of a text, and how many more there are.
fn cut(text: &str, most: usize) -> String {
    let count = text.lines().count();
    if count <= most {
        return text.to_owned();
    }
    let shown: Vec<&str> = text.lines().take(most.saturating_sub(1)).collect();
    format!("{}\n… {} more lines: :all shows them", shown.join("\n"), count - shown.len())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A value as it is shown in `width` columns and ten lines.
    fn shown(script: &str, width: usize) -> String {
        let engine = Engine::new();
        let value: Dynamic = engine.eval(script).unwrap();
        show(&engine, &value, Screen { width, lines: Some(10), paint: Paint(false) }).unwrap_or_default()
    }

    #[test]
    fn a_list_of_maps_is_a_table_that_fits() {
        let rows = r#"[#{ age: 3, name: "web-1", note: "the first one of the machines that serve" }, #{ name: "w", age: 12 }]"#;
        insta::assert_snapshot!(shown(rows, 100), @"
        name   age  note
        web-1  3    the first one of the machines that serve
        w      12
        ");
        insta::assert_snapshot!(shown(rows, 20), @"
        name   age  note
        web-1  3    the fir…
        w      12
        ");
    }

    #[test]
    fn what_fits_in_a_line_is_shown_in_one() {
        assert_eq!(shown(r#"#{ a: 1, "b-c": ["x", ()] }"#, 80), r#"#{ a: 1, "b-c": ["x", ()] }"#);
        assert_eq!(shown(r#""5""#, 80), r#""5""#);
        assert_eq!(shown("5", 80), "5");
        assert_eq!(shown("\"a\\nb\"", 80), "a\nb");
        assert_eq!(shown("|x| x + 1", 80), "a closure");
        assert_eq!(shown("()", 80), "");
    }

    #[test]
    fn what_does_not_is_shown_on_several() {
        let map =
            r#"#{ name: "demo", nodes: [#{ name: "master", role: "master" }, #{ name: "worker" }], ports: [80, 443] }"#;
        insta::assert_snapshot!(shown(map, 40), @r#"
        name: "demo"
        nodes:
          - #{ name: "master", role: "master" }
          - #{ name: "worker" }
        ports: [80, 443]
        "#);
    }

    #[test]
    fn a_long_value_is_cut_at_the_height_of_the_screen() {
        let text = shown("let a = []; for i in 0..500 { a.push(`line ${i} of a long list`); } a", 60);
        assert_eq!(text.lines().count(), 10, "{text}");
        assert!(text.ends_with("… 491 more lines: :all shows them"), "{text}");
    }
}
