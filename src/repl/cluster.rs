//! What the prompt knows of the cluster that it stands in front of: names that are there without being defined, connected to
//! when they are first used.

use rhai::Engine;
use rhai::Token;

/// The names, with what they stand for.
const NAMES: &[(&str, &str)] = &[
    ("cluster", "config::load()"),
    ("hosts", "parallel(config::load().nodes, |n| ssh::connect(n.ssh.destination, n.ssh.options))"),
    ("master", "let n = config::load().master; ssh::connect(n.ssh.destination, n.ssh.options)"),
    ("workers", "parallel(config::load().workers, |n| ssh::connect(n.ssh.destination, n.ssh.options))"),
    ("k", "let n = config::load().master; kube::connect(ssh::connect(n.ssh.destination, n.ssh.options))"),
];

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

/// Which of the names an entry uses, each with the expression that gives its value. Keys, parameters, properties and what the
/// entry itself defines don't count.
pub fn used(engine: &Engine, entry: &str) -> Vec<(&'static str, &'static str)> {
    let tokens: Vec<Token> =
        engine.lex([&entry]).0.map(|(token, _)| token).take_while(|token| *token != Token::EOF).collect();
    let before = |index: usize| index.checked_sub(1).and_then(|index| tokens.get(index));
    let after = |index: usize| tokens.get(index + 1);
    let defines = |index: usize| {
        matches!(before(index), Some(Token::Let | Token::Const | Token::For | Token::As))
            || matches!(before(index), Some(Token::Pipe | Token::Comma))
                && matches!(after(index), Some(Token::Pipe | Token::Comma))
    };
    let belongs = |index: usize| {
        matches!(before(index), Some(Token::Period | Token::Elvis | Token::DoubleColon))
            || matches!(after(index), Some(Token::Colon | Token::DoubleColon))
    };
    let named = |index: usize, name: &str| matches!(&tokens[index], Token::Identifier(word) if word.as_str() == name);
    let is_use = |index: usize, name: &str| {
        !belongs(index) && !(0..tokens.len()).any(|index| named(index, name) && defines(index))
    };
    let names = tokens.iter().enumerate().filter_map(|(index, token)| match token {
        Token::Identifier(name) if is_use(index, name.as_str()) => {
            NAMES.iter().find(|(known, _)| known == &name.as_str())
        }
        _ => None,
    });
    let mut names: Vec<_> = names.copied().collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_what_is_used_is_connected_to() {
        let used = |entry: &str| -> Vec<&str> {
            super::used(&crate::script::reader(), entry).into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(used("master.query(\"uptime\")"), ["master"]);
        assert_eq!(used("hosts.len() + workers.len()"), ["hosts", "workers"]);
        for entry in [
            "let k = 1",
            "#{ hosts: 1 }",
            "x.master",
            "[1].map(|k| k + 1)",
            "for hosts in [1] {}",
            "\"master\"",
            "// master",
            "import \"cluster\" as cluster",
            "cluster::load()",
        ] {
            assert!(used(entry).is_empty(), "{entry}: {:?}", used(entry));
        }
    }
}
