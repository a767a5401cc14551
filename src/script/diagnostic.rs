//! Shows an error of a script: position, source excerpt, call stack, cause and remedy.

use miette::{LabeledSpan, MietteDiagnostic, NamedSource};
use rhai::{EvalAltResult, Position};

use super::Sources;
use super::errors::Failure;
use crate::error::Kind;

/// One level of the call stack.
struct Frame {
    source: String,
    position: Position,
    what: String,
}

/// The error of the script `main` as a person should see it; `failure` is what is in it.
pub fn render(sources: &Sources, main: &str, error: &EvalAltResult, failure: &Failure, color: bool) -> String {
    let mut frames = frames(main, error);
    for frame in &mut frames {
        (frame.source, frame.position) = sources.shown(&frame.source, frame.position);
    }
    let mut help = Vec::new();
    if let Some(output) = &failure.error.output
        && !output.is_empty()
    {
        // What is refused has not run: its lines are the reasons.
        help.push(match failure.error.kind {
            Kind::Refused => output.clone(),
            _ => format!("its last output:\n{}", indented(output)),
        });
    }
    if let Some(remedy) = &failure.error.help
        && failure.error.problems.is_none()
    {
        help.push(remedy.clone());
    }
    if let Some(frame) = frames.first()
        && failure.at.contains(':')
        && !frame.line().ends_with(&format!(" {}", failure.at))
        && matches!(error.unwrap_inner(), EvalAltResult::ErrorRuntime(payload, _) if payload.is::<Failure>())
    {
        help.push(format!("first raised at {}", failure.at));
    }
    if frames.len() > 1 {
        let stack: Vec<String> = frames.iter().map(Frame::line).collect();
        help.push(stack.join("\n"));
    }
    let mut diagnostic = MietteDiagnostic::new(failure.error.to_string());
    if !help.is_empty() {
        diagnostic = diagnostic.with_help(help.join("\n"));
    }
    let text = frames.first().and_then(|frame| sources.get(&frame.source));
    let report = match (frames.first(), text) {
        (Some(frame), Some(text)) if !frame.position.is_none() => {
            let (line, column) = (frame.position.line().unwrap_or(1), frame.position.position().unwrap_or(1));
            let (start, length) = span(&text, line, column);
            let label = LabeledSpan::new(None, start, length);
            miette::Report::new(diagnostic.with_label(label))
                .with_source_code(NamedSource::new(&frame.source, text.to_string()))
        }
        _ => miette::Report::new(diagnostic),
    };
    let problems = failure.error.problems.iter().filter_map(|problems| problems.related()).flatten();
    let problems = problems.map(|problem| show(problem, color));
    std::iter::once(show(report.as_ref(), color)).chain(problems).collect()
}

/// Renders any diagnostic in the one style of k3srun.
pub(super) fn show(diagnostic: &dyn miette::Diagnostic, color: bool) -> String {
    let theme = if color { miette::GraphicalTheme::unicode() } else { miette::GraphicalTheme::unicode_nocolor() };
    let handler = miette::GraphicalReportHandler::new_themed(theme).with_width(110).with_links(false);
    let mut text = String::new();
    match handler.render_report(&mut text, diagnostic) {
        Ok(()) => text,
        Err(_) => diagnostic.to_string(),
    }
}

impl Frame {
    fn line(&self) -> String {
        let (line, column) = (self.position.line().unwrap_or(0), self.position.position().unwrap_or(0));
        format!("at {} {}:{line}:{column}", self.what, self.source)
    }
}

/// The call stack, innermost first. In an error of a call the position belongs to the caller's text and the source to
/// the callee's.
fn frames(main: &str, error: &EvalAltResult) -> Vec<Frame> {
    let (mut frames, mut source, mut what, mut error) = (Vec::new(), main.to_owned(), "script".to_owned(), error);
    loop {
        match error {
            EvalAltResult::ErrorInFunctionCall(name, callee, inner, position) => {
                frames.push(Frame { source: source.clone(), position: *position, what });
                what = if name.starts_with("anon$") { "closure".to_owned() } else { format!("{name}()") };
                if !callee.is_empty() {
                    source = callee.clone();
                }
                error = inner;
            }
            EvalAltResult::ErrorInModule(module, inner, position) => {
                frames.push(Frame { source: source.clone(), position: *position, what });
                what = "module".to_owned();
                source = module.clone();
                error = inner;
            }
            other => {
                frames.push(Frame { source, position: other.position(), what });
                frames.reverse();
                return frames;
            }
        }
    }
}

/// Where the error was raised: the script and the place in it.
pub(super) fn innermost(main: &str, error: &EvalAltResult) -> (String, Position) {
    let frame = frames(main, error).into_iter().next();
    frame.map_or((main.to_owned(), Position::NONE), |frame| (frame.source, frame.position))
}

/// The byte offset and length of the word at a line and a column, both from 1.
pub(super) fn span(text: &str, line: usize, column: usize) -> (usize, usize) {
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    let inside: usize = rest.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
    let offset = start + inside;
    let word = text.get(offset..).unwrap_or_default();
    let length = word.chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum::<usize>();
    (offset.min(text.len()), length.max(1).min(text.len().saturating_sub(offset)))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
