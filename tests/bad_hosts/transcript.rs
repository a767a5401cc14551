//! What a user sees of a run, without what is another each time.

use std::path::Path;

/// Of a bootstrap that succeeds: what it warned of, and whether there was anything to do.
pub fn outcome(text: &str) -> String {
    let mut outcome: String =
        text.lines().filter(|line| line.starts_with("warning: ")).map(|line| format!("{line}\n")).collect();
    if text.contains(": 0 changed, ") {
        outcome.push_str("0 changed\n");
    }
    outcome
}

/// What was warned of, and the failure, if there is one: not how far it came before.
pub fn failure(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let Some(at) = lines.iter().position(|line| line.starts_with("  × ")) else { return text.to_owned() };
    let warnings = lines[..at].iter().filter(|line| line.starts_with("warning: "));
    warnings.chain(&lines[at..]).map(|line| format!("{line}\n")).collect()
}

/// An argument as one would write it in a shell.
pub fn argument(argument: &str) -> String {
    match argument.contains([' ', '"', '(', '#', '&']) {
        true => format!("'{argument}'"),
        false => argument.to_owned(),
    }
}

/// What systemd says of a unit that dies: sometimes it comes in time to be shown.
fn from_systemd(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("k3s.service: ")
        || line.starts_with("k3s-agent.service: ")
        || line.starts_with("Failed to start k3s")
}

/// Without times, the numbers of processes, the names of folders, the place in the script, and the lines that only tell how
/// far it is: those of two hosts come in any order.
pub fn normal(text: &str, folder: &Path) -> String {
    let mut normal = String::new();
    let mut excerpt = false;
    for line in text.replace(&folder.display().to_string(), "FOLDER").lines() {
        let progress = [": connecting", ": skipped", ": reading the state of k3s"];
        let place = line.trim_start().trim_start_matches("help: ").starts_with("at ")
            && line.ends_with(|c: char| c.is_ascii_digit());
        excerpt |= line.contains("╭─[");
        let skipped = excerpt
            || place
            || progress.iter().any(|end| line.ends_with(end))
            || line.starts_with("== ")
            || from_systemd(line);
        excerpt &= !line.contains("╰─");
        if skipped {
            continue;
        }
        let line = match line.split_once("  log: ") {
            Some((summary, _)) => match summary.split_once(": ") {
                Some((head, counts)) => {
                    let words: Vec<&str> =
                        head.split(' ').take_while(|word| !word.starts_with(char::is_numeric)).collect();
                    format!("{} TIME: {counts}", words.join(" "))
                }
                None => summary.to_owned(),
            },
            None => line.to_owned(),
        };
        normal.push_str(line.trim_end());
        normal.push('\n');
    }
    let numbers = [
        (r": [1-9]\d* changed, \d+ ok", ": N changed, N ok"),
        (r"v1\.3[4-9]\.\d+\+k3s(-lab|\d+)", "VERSION"),
        (r"!=\s+[0-9a-f]{64}", "!= HASH"),
        // By chance it is one or the other.
        (r"kex_exchange_identification: [\s\S]*? port 22\n", "kex_exchange_identification: CLOSED OR RESET\n"),
        (r"Segmentation fault.*|Bus error.*|Illegal instruction.*", "SIGNAL"),
        (r"process \d+", "process PID"),
        (r"sh: \d+: ", "sh: LINE: "),
        (r"takes \d+\.\d ms", "takes N ms"),
        (r"UNKNOWN port \d+", "UNKNOWN port N"),
        (r#"time="[^"]*""#, "time=TIME"),
        // How often the agent asked, and which way its own balancer said no, is chance.
        (
            r#"(?s)msg="Failed to validate connection to cluster at\s+(https://\S+:6443): failed to get CA certs: [^"]*"[^"]*"[^"]*(?:EOF|reset\s+by\s+peer|refused)""#,
            "msg=\"Failed to validate connection to cluster at $1: REASON\"",
        ),
        (r#"(?:( *time=TIME level=error msg="Failed to validate connection[^\n]*REASON"\n))+"#, "$1"),
        // Each release of curl says it in other words.
        (r"curl: \(18\) .*", "curl: (18) CUT OFF"),
        (r"[IEWF]\d{4} [\d:.]+ +\d+ ", "E0000 TIME PID "),
        (r"SHA256:[A-Za-z0-9+/]+", "SHA256:FINGERPRINT"),
    ];
    for (pattern, replacement) in numbers {
        let pattern = regex::Regex::new(pattern).unwrap_or_else(|error| panic!("{error}"));
        normal = pattern.replace_all(&normal, replacement).into_owned();
    }
    normal
}
