//! Whatever is called with whatever: an answer or an error, never a panic, a hang or more memory than a small machine has.
//!
//! All is decided by a seed, and the same in every run; `K3SRUN_RANDOM_SEED=N` makes others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::panic::catch_unwind;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use k3srun::bindings;
use k3srun::config::Config;
use k3srun::script::Function;

use support::chance::Chance;

fn chance() -> Chance {
    Chance::new(std::env::var("K3SRUN_RANDOM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1))
}

/// What would end the script, wait as long as it is told to, ask somebody, or act after the script.
const LEFT_OUT: &[&str] = &["exit", "sleep", "confirm", "interactive", "shell", "reboot", "hold", "lock", "on_exit"];

const TEXTS: &[&str] = &[
    r#""""#,
    r#""a""#,
    r#""/nonexistent/k3srun/x""#,
    r#""../x""#,
    r#""-rf""#,
    r#""é\u202eü""#,
    r#""a\nb""#,
    r#""a\x00b""#,
    r#""127.0.0.1:1""#,
    r#""http://127.0.0.1:1/""#,
    r#""v1.36.5+k3s1""#,
    r#""{{ x }}""#,
    r#""0644""#,
    r#""a=b""#,
    "long",
    r#""present""#,
    r#""[::1]""#,
    r#""10.0.0.0/33""#,
    r#""%s%n$(x)`y`'z""#,
];

const NUMBERS: &[&str] = &["0", "1", "-1", "65536", "9223372036854775807", "(-9223372036854775807 - 1)"];

const OTHERS: &[&str] = &[
    "()",
    "true",
    "'x'",
    "0.5",
    "[]",
    "[1, \"a\", ()]",
    "#{}",
    "#{ a: #{ b: [] } }",
    "secret(\"hunter222\")",
    "|| 1",
    "|x| x",
    "here",
    "here.facts",
    "file(\"/nonexistent/x\", #{ content: \"x\" })",
    "[here]",
    "deep",
];

/// A value as a script writes it, of the wanted kind or of any.
fn value(chance: &mut Chance, kind: &str, options: &[&str]) -> String {
    match (kind, chance.between(0, 9)) {
        (_, 0) => chance.one_of(OTHERS).to_owned(),
        ("string", _) => chance.one_of(TEXTS).to_owned(),
        ("int", _) => chance.one_of(NUMBERS).to_owned(),
        ("Host", _) => "here".to_owned(),
        ("map", _) if !options.is_empty() => {
            let names: BTreeSet<&str> = (0..chance.between(0, 3)).map(|_| chance.one_of(options)).collect();
            let entries: Vec<String> = names.iter().map(|name| format!("\"{name}\": {}", any(chance))).collect();
            format!("#{{ {} }}", entries.join(", "))
        }
        _ => any(chance),
    }
}

fn any(chance: &mut Chance) -> String {
    let values = [TEXTS, NUMBERS, OTHERS][chance.between(0, 2) as usize];
    chance.one_of(values).to_owned()
}

fn call(chance: &mut Chance, function: &Function) -> String {
    let options = function.options.unwrap_or_default();
    let mut arguments: Vec<String> =
        function.parameters.iter().map(|parameter| value(chance, &parameter.kind, options)).collect();
    let path = if function.namespace.is_empty() {
        function.name.clone()
    } else {
        format!("{}::{}", function.namespace, function.name)
    };
    match &function.receiver {
        None => format!("{path}({})", arguments.join(", ")),
        Some(receiver) => {
            let receiver = value(chance, receiver, &[]);
            if function.property {
                return format!("({receiver}).{}", function.name);
            }
            arguments.retain(|_| chance.between(0, 20) > 0);
            format!("({receiver}).{}({})", function.name, arguments.join(", "))
        }
    }
}

/// The most memory that a process has had so far, in MiB.
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
}

/// Runs a plan of calls, each with what it throws caught.
fn run(calls: &[String]) {
    const LIMIT: Duration = Duration::from_secs(120);
    const MEMORY: u64 = 300;
    let folder = tempfile::tempdir().unwrap();
    let begin = "let here = local(); let long = \"x\"; for n in 0..16 { long += long }\n\
                 let deep = []; for n in 0..100 { deep = [deep] }\n";
    let calls: Vec<String> = calls.iter().map(|call| format!("try {{ {call}; }} catch {{}}\n")).collect();
    let script = format!("{begin}{}print(\"the end\")\n", calls.concat());
    let mut command = Command::new(env!("CARGO_BIN_EXE_k3srun"));
    command.args(["--plan", "-q", "-"]).current_dir(&folder).env("XDG_STATE_HOME", folder.path());
    let out = fs::File::create(folder.path().join("out")).unwrap();
    let err = fs::File::create(folder.path().join("err")).unwrap();
    let mut run = command.stdin(Stdio::piped()).stdout(out).stderr(err).spawn().unwrap();
    run.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let start = Instant::now();
    let status = loop {
        let memory = peak(run.id());
        assert!(memory <= MEMORY, "{memory} MiB of memory:\n{script}");
        if let Some(status) = run.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > LIMIT {
            run.kill().unwrap();
            panic!("not at its end after {LIMIT:?}:\n{script}");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let read = |name: &str| String::from_utf8_lossy(&fs::read(folder.path().join(name)).unwrap()).into_owned();
    let (out, err) = (read("out"), read("err"));
    assert!(!err.contains("panicked"), "{err}\n{script}");
    assert!(status.success() && out.ends_with("the end\n"), "{status}: {err}\n{script}");
}

#[test]
fn ten_thousand_calls_with_random_values_end_with_an_answer_or_an_error() {
    const RUNS: u64 = 40;
    const CALLS: u64 = 250;
    let catalog = bindings::catalog();
    let functions: Vec<&Function> = catalog
        .functions()
        .filter(|function| !function.standard && function.is_named() && !LEFT_OUT.contains(&function.name.as_str()))
        .collect();
    let mut chance = chance();
    for _ in 0..RUNS {
        let calls: Vec<String> = (0..CALLS)
            .map(|_| {
                let function = functions[chance.between(0, functions.len() as u64 - 1) as usize];
                call(&mut chance, function)
            })
            .collect();
        run(&calls);
    }
}

#[test]
fn a_thousand_damaged_configs_are_read_or_refused() {
    let example = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/cluster.toml.example")).unwrap();
    // With all that is only mentioned there, where it is a setting.
    let all: String = example
        .lines()
        .map(|line| {
            let line = line.strip_prefix("# For example: ").filter(|rest| rest.contains(" = ")).unwrap_or(line);
            format!("{}\n", line.strip_prefix('#').filter(|rest| rest.contains(" = ")).unwrap_or(line))
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cluster.toml");
    let mut chance = chance();
    let mut refused = 0;
    for _ in 0..1000 {
        let mut text = if chance.between(0, 1) == 0 { example.clone() } else { all.clone() }.into_bytes();
        for _ in 0..chance.between(1, 12) {
            damage(&mut chance, &mut text);
        }
        fs::write(&file, &text).unwrap();
        let start = Instant::now();
        let read = catch_unwind(|| Config::load(&file, &[]).map(drop).map_err(|problems| format!("{problems:?}")));
        let text = String::from_utf8_lossy(&text);
        let read = read.unwrap_or_else(|_| panic!("it panics with:\n{text}"));
        assert!(start.elapsed() < Duration::from_secs(5), "slow:\n{text}");
        refused += u32::from(read.is_err());
    }
    assert!((500..1000).contains(&refused), "{refused} were refused: they are all alike");
}

/// Changes something of a text at a random place.
fn damage(chance: &mut Chance, text: &mut Vec<u8>) {
    let at = chance.between(0, text.len() as u64 - 1) as usize;
    let end = (at + chance.between(1, 40) as usize).min(text.len());
    match chance.between(0, 5) {
        0 => text[at] = chance.between(0, 255) as u8,
        1 => drop(text.drain(at..end)),
        2 => {
            let piece = text[at..end].to_vec();
            let to = chance.between(0, text.len() as u64) as usize;
            text.splice(to..to, piece);
        }
        3 => drop(text.splice(at..at, b"\"\n[".iter().copied())),
        4 => drop(text.splice(at..at, "9".repeat(30).into_bytes())),
        _ => text.truncate(text.len() - (end - at).min(text.len() - 1)),
    }
}
