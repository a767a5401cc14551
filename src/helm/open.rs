//! Which maps of a chart's values are open, by what its templates do with them: copy them into an object as they are (`toYaml`), or
//! go through their keys (`range`), whichever these are.

use std::collections::HashMap;

/// The maps that are open.
#[derive(Default)]
pub(super) struct Open {
    copied: Vec<Field>,
    walked: Vec<Field>,
}

impl Open {
    pub fn by<'a>(templates: impl Iterator<Item = &'a str>) -> Self {
        let mut open = Open::default();
        templates.for_each(|template| open.read(template));
        open
    }

    /// Whether a template copies the map at the end of this way, with all that is in it.
    pub fn is_copied(&self, path: &[String]) -> bool {
        self.copied.iter().any(|field| field.is(path))
    }

    /// Whether a template takes each key of the map at the end of this way.
    pub fn is_walked(&self, path: &[String]) -> bool {
        self.walked.iter().any(|field| field.is(path))
    }

    fn read(&mut self, template: &str) {
        let mut scope = Scope::default();
        for action in actions(template) {
            let copies = action.match_indices("toYaml").filter_map(|(at, name)| {
                let (before, after) = (&action[..at], &action[at + name.len()..]);
                let piped = before.trim_end().strip_suffix('|');
                scope.field(piped.map_or_else(|| first(after), first_of_pipe))
            });
            self.copied.extend(copies.collect::<Vec<_>>());
            let (word, rest) = action.split_once(char::is_whitespace).unwrap_or((action, ""));
            let (name, value) = assignment(if word.starts_with('$') { action } else { rest });
            let field = scope.field(value);
            match word {
                "with" => scope.enter(name, field),
                "range" => {
                    self.walked.extend(field.clone());
                    scope.enter(name, field.map(|field| field.below("*")));
                }
                "if" => scope.enter(None, scope.dot()),
                "define" | "block" => scope.enter(None, None),
                "end" => drop(scope.dots.pop()),
                _ => scope.name(name, field),
            }
        }
    }
}

/// A field of the values, as a template names it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    /// Whether `keys` begin at the top of the values; else they are the last ones of the way there.
    whole: bool,
    /// `*` is any key.
    keys: Vec<String>,
}

impl Field {
    fn below(mut self, path: &str) -> Field {
        self.keys.extend(path.split('.').filter(|key| !key.is_empty()).map(str::to_owned));
        self
    }

    fn is(&self, path: &[String]) -> bool {
        let Some(before) = path.len().checked_sub(self.keys.len()) else { return false };
        let same = |(one, key): (&String, &String)| one == "*" || one == key;
        !self.keys.is_empty() && (before == 0 || !self.whole) && self.keys.iter().zip(&path[before..]).all(same)
    }
}

/// What the dot and the variables are at a place in a template; none where that can't be said.
#[derive(Default)]
struct Scope {
    /// In each block that is open.
    dots: Vec<Option<Field>>,
    variables: HashMap<String, Field>,
}

impl Scope {
    fn dot(&self) -> Option<Field> {
        self.dots.last().cloned().flatten()
    }

    fn enter(&mut self, name: Option<&str>, field: Option<Field>) {
        self.dots.push(field.clone());
        self.name(name, field);
    }

    fn name(&mut self, name: Option<&str>, field: Option<Field>) {
        let Some(name) = name else { return };
        match field {
            Some(field) => drop(self.variables.insert(name.to_owned(), field)),
            None => drop(self.variables.remove(name)),
        }
    }

    /// The field that an expression means.
    fn field(&self, expression: &str) -> Option<Field> {
        let expression = first_of_pipe(expression).trim();
        let words = words(expression);
        match words.as_slice() {
            ["index" | "get", map, keys @ ..] => keys.iter().try_fold(self.field(map)?, |mut field, key| {
                field.keys.push(key.strip_prefix('"')?.strip_suffix('"')?.to_owned());
                Some(field)
            }),
            ["default", _, value] | ["required", _, value] => self.field(value),
            [word] => {
                if let Some(inner) = word.strip_prefix('(') {
                    let (inner, path) = inner.rsplit_once(')')?;
                    return Some(self.field(inner)?.below(path));
                }
                if let Some(path) = word.trim_start_matches('$').strip_prefix(".Values") {
                    return Some(Field { whole: true, keys: Vec::new() }.below(path));
                }
                let (name, path) = word.split_once('.').unwrap_or((word, ""));
                match name {
                    // The dot of a definition is what it is called with: only the last keys are known.
                    "" => Some(self.dot().unwrap_or(Field { whole: false, keys: Vec::new() }).below(path)),
                    name => Some(self.variables.get(name)?.clone().below(path)),
                }
            }
            _ => None,
        }
    }
}

/// What is between the braces.
fn actions(template: &str) -> impl Iterator<Item = &str> {
    let actions = template.split("{{").skip(1).filter_map(|rest| rest.split_once("}}"));
    actions.map(|(action, _)| action.trim_start_matches('-').trim_end_matches('-').trim())
}

/// The variable that is set, the last one where there are two, and what it is set to.
fn assignment(text: &str) -> (Option<&str>, &str) {
    let part_of_names = |c: char| c.is_alphanumeric() || "$_, :".contains(c);
    match text.split_once('=') {
        Some((names, value)) if text.starts_with('$') && names.chars().all(part_of_names) => {
            let last = names.rsplit(',').next().unwrap_or_default();
            (Some(last.trim_matches([' ', ':'])), value)
        }
        _ => (None, text),
    }
}

/// What is before the first bar.
fn first_of_pipe(expression: &str) -> &str {
    outside(expression, |c| c == '|').next().unwrap_or_default()
}

fn first(expression: &str) -> &str {
    words(expression.trim()).first().copied().unwrap_or_default()
}

fn words(expression: &str) -> Vec<&str> {
    outside(expression, char::is_whitespace).filter(|word| !word.is_empty()).collect()
}

/// The parts between separators that are outside of brackets and quotation marks; up to a bracket that nobody opened.
fn outside(text: &str, separator: impl Fn(char) -> bool) -> impl Iterator<Item = &str> {
    let (mut depth, mut quoted, mut start, mut parts) = (0, false, 0, Vec::new());
    let mut end = text.len();
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted && depth == 0 => {
                end = at;
                break;
            }
            ')' if !quoted => depth -= 1,
            c if !quoted && depth == 0 && separator(c) => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..end]);
    parts.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> Vec<String> {
        path.split('.').map(str::to_owned).collect()
    }

    fn copies(template: &str, way: &str) -> bool {
        Open::by(std::iter::once(template)).is_copied(&path(way))
    }

    fn walks(template: &str, way: &str) -> bool {
        Open::by(std::iter::once(template)).is_walked(&path(way))
    }

    #[test]
    fn a_map_is_copied_however_the_template_names_it() {
        assert!(copies("{{- toYaml .Values.probe | nindent 4 }}", "probe"));
        assert!(copies("{{ tpl (toYaml $.Values.a.b) $ }}", "a.b"));
        assert!(copies("{{ .Values.a | toYaml }}", "a"));
        assert!(copies("{{ toYaml (default dict (.Values.a).b) }}", "a.b"));
        assert!(copies("{{- with .Values.a }}{{ if .x }}{{- toYaml . | nindent 4 }}{{ end }}{{ end }}", "a"));
        assert!(copies("{{- with .Values.a }}{{- with .b }}{{ toYaml . }}{{ end }}{{ end }}", "a.b"));
        assert!(copies(
            "{{ define \"spec\" }}{{ with .service.spec }}{{ toYaml . }}{{ end }}{{ end }}",
            "service.spec"
        ));
        assert!(copies("{{ $a := index .Values \"a-b\" }}{{ toYaml $a.c }}", "a-b.c"));
        assert!(copies("{{ range $name, $one := .Values.a }}{{ toYaml $one.spec }}{{ end }}", "a.any.spec"));
    }

    #[test]
    fn nothing_else_is_copied() {
        assert!(!copies("{{- toYaml .Values.probe }}", "a.probe"));
        assert!(!copies("{{ .Values.a.b }}", "a.b"));
        assert!(!copies("{{ with .Values.a }}{{ .b }}{{ end }}{{ toYaml . }}", "a"));
        assert!(!copies("{{ with .Values.a }}{{ toYaml .b }}{{ end }}", "a"));
        assert!(!copies("{{ range .Values.a }}{{ toYaml . }}{{ end }}", "a"));
        assert!(!copies("{{ toYaml $port }}", "port"));
        assert!(!copies("{{ toYaml (omit .Values.a \"b\") }}", "a"));
    }

    #[test]
    fn a_map_is_walked_by_its_name_and_so_are_the_maps_in_it() {
        let ini =
            "{{ range $key, $value := index .Values \"a.ini\" }}{{ range $k, $v := $value }}{{ $k }}{{ end }}{{ end }}";
        let way = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let open = Open::by(std::iter::once(ini));
        assert!(open.is_walked(&way(&["a.ini"])) && open.is_walked(&way(&["a.ini", "server"])));
        assert!(!open.is_walked(&way(&["a.ini", "server", "x"])) && !open.is_walked(&way(&["b"])));
        assert!(walks("{{ range .Values.list }}{{ . }}{{ end }}", "list"));
        assert!(!walks("{{ with .Values.a }}{{ .b }}{{ end }}", "a"));
    }
}
