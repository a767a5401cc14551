//! What a playbook is made of, known before it runs: so that a misspelt phase or a word too many is refused in time.

use std::collections::BTreeSet;
use std::path::Path;

use rhai::{ASTNode, Expr, FnCallExpr, Stmt};

use super::{Folders, Resolver, Sources, engine};

/// What a script, its modules and the playbooks that it plays contain.
#[derive(Debug, Default)]
pub struct Outline {
    /// The names of its phases, in the order in which they are written.
    pub phases: Vec<String>,
    /// Whether there may be other phases: names that are made while it runs.
    pub has_other_phases: bool,
    /// Whether it looks at what follows its name on the command line.
    pub takes_arguments: bool,
    /// Whether it reads cluster.toml.
    pub reads_config: bool,
}

impl Outline {
    /// The outline of the script `id`, whose imports are looked for in `folders`. Of a text that is no script nothing is
    /// known, so that it may contain anything.
    ///
    /// ```
    /// use k3srun::script::{Folders, Outline};
    /// let outline = Outline::of(Folders::default(), "a.rhai", r#"phase("base", || log(args()[0]));"#);
    /// assert_eq!(outline.phases, ["base"]);
    /// assert!(outline.takes_arguments && !outline.reads_config && !outline.has_other_phases);
    /// ```
    pub fn of(folders: Folders, id: &str, text: &str) -> Self {
        let mut walk = Walk {
            engine: engine::reader(),
            resolver: Resolver::new(folders, Sources::default()),
            seen: BTreeSet::new(),
            outline: Outline::default(),
        };
        walk.script(id, text);
        walk.outline
    }
}

struct Walk {
    engine: rhai::Engine,
    resolver: Resolver,
    /// The scripts that were walked: they may import each other.
    seen: BTreeSet<String>,
    outline: Outline,
}

/// Another script that a script uses.
enum Other {
    Imported(String),
    Played(String),
}

impl Walk {
    fn script(&mut self, id: &str, text: &str) {
        if !self.seen.insert(id.to_owned()) {
            return;
        }
        let Ok(ast) = self.engine.compile(text) else { return self.anything() };
        let mut others = Vec::new();
        ast.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Stmt(Stmt::Import(import, _))) => {
                    others.extend(constant(&import.0).map(Other::Imported));
                }
                Some(
                    ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))
                    | ASTNode::Stmt(Stmt::FnCall(call, _)),
                ) => {
                    others.extend(self.call(call));
                }
                _ => {}
            }
            true
        });
        for other in others {
            match other {
                Other::Imported(name) => {
                    if let Some((id, text)) = self.resolver.find(Some(id), &name) {
                        self.script(&id, &text);
                    }
                }
                Other::Played(name) => self.played(id, &name),
            }
        }
    }

    fn call(&mut self, call: &FnCallExpr) -> Option<Other> {
        let first = call.args.first().and_then(constant);
        match call.name.as_str() {
            "phase" => match first {
                Some(name) if !self.outline.phases.contains(&name) => self.outline.phases.push(name),
                Some(_) => {}
                None => self.outline.has_other_phases = true,
            },
            "play" => match first {
                Some(name) => return Some(Other::Played(name)),
                None => (self.outline.has_other_phases, self.outline.reads_config) = (true, true),
            },
            "args" => self.outline.takes_arguments = true,
            "load" if call.namespace.path.first().is_some_and(|name| name.as_str() == "config") => {
                self.outline.reads_config = true;
            }
            _ => {}
        }
        None
    }

    /// A playbook that is played gets arguments of its own.
    fn played(&mut self, id: &str, name: &str) {
        let folder = Path::new(id).parent().filter(|_| !id.starts_with('<')).unwrap_or(Path::new(""));
        let path = folder.join(name);
        let takes_arguments = self.outline.takes_arguments;
        match std::fs::read_to_string(&path) {
            Ok(text) => self.script(&path.display().to_string(), &text),
            Err(_) => self.anything(),
        }
        self.outline.takes_arguments = takes_arguments;
    }

    fn anything(&mut self) {
        let phases = std::mem::take(&mut self.outline.phases);
        self.outline = Outline { phases, has_other_phases: true, takes_arguments: true, reads_config: true };
    }
}

fn constant(expression: &Expr) -> Option<String> {
    match expression {
        Expr::StringConstant(text, _) => Some(text.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_played_playbooks_count() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("inner.rhai", r#"import "steps" as steps; phase("inner", || config::load()); print(args());"#);
        write("steps.rhai", r#"import "steps" as again; fn all() { phase("step", || 1) }"#);
        let folders = || Folders { beside: vec![folder.path().to_owned()], ..Folders::default() };
        let id = folder.path().join("main.rhai").display().to_string();
        let outline = Outline::of(folders(), &id, r#"play("inner.rhai"); let name = "x"; phase("outer", || name);"#);
        assert_eq!(outline.phases, ["outer", "inner", "step"]);
        assert!(outline.reads_config && !outline.takes_arguments && !outline.has_other_phases);
        let outline = Outline::of(folders(), &id, r#"let name = "x"; phase(name, || name);"#);
        assert!(outline.has_other_phases);
    }

    #[test]
    fn nothing_is_refused_of_a_text_that_is_no_script() {
        let outline = Outline::of(Folders::default(), "a.rhai", "let = ;");
        assert!(outline.has_other_phases && outline.takes_arguments && outline.reads_config);
    }
}
