//! The prompt at a real terminal, played by script(1): no input is lost, none is misread, nothing is changed unasked.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const K3SRUN: &str = env!("CARGO_BIN_EXE_k3srun");

/// A terminal in a folder of its own.
struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Arc<Mutex<String>>,
    seen: usize,
    folder: Arc<tempfile::TempDir>,
}

impl Terminal {
    /// A terminal of kind `term` in which a command runs.
    fn start(command: &str, term: &str) -> Terminal {
        Terminal::start_in(Arc::new(tempfile::tempdir().unwrap()), command, term)
    }

    fn start_in(folder: Arc<tempfile::TempDir>, command: &str, term: &str) -> Terminal {
        let mut child = Command::new("script")
            .args(["-qec", command, "/dev/null"])
            .current_dir(folder.path())
            .env("XDG_STATE_HOME", folder.path().join("state"))
            .env("TERM", term)
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (keyboard, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let screen = Arc::new(Mutex::new(String::new()));
        let shown = screen.clone();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut piece) {
                shown.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..n]));
            }
        });
        Terminal { child, keyboard, screen, seen: 0, folder }
    }

    /// A prompt that is ready.
    fn prompt() -> Terminal {
        let mut terminal = Terminal::start(&format!("exec {K3SRUN}"), "xterm");
        terminal.wait("k3srun> ");
        terminal
    }

    fn type_in(&mut self, keys: &str) -> &mut Self {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
        self
    }

    /// Waits until `text` is shown after what was waited for before. Returns what was shown up to there.
    fn wait(&mut self, text: &str) -> String {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let screen = without_escapes(&self.screen.lock().unwrap());
            if let Some(at) = screen[self.seen..].find(text) {
                let until = self.seen + at + text.len();
                let shown = screen[self.seen..until].to_owned();
                self.seen = until;
                return shown;
            }
            assert!(Instant::now() < end, "`{text}` was never shown after:\n{}\nin\n{screen}", &screen[..self.seen]);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the end of the program, and returns its exit status.
    fn status(mut self) -> Option<i32> {
        drop(self.keyboard);
        self.child.wait().unwrap().code()
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

/// What a terminal shows of a text, without what moves its cursor.
fn without_escapes(text: &str) -> String {
    regex::Regex::new("\x1b\\[[0-9;?]*[A-Za-z]").unwrap().replace_all(text, "").into_owned()
}

#[test]
fn lines_that_are_pasted_or_typed_ahead_are_all_evaluated() {
    let mut terminal = Terminal::prompt();
    terminal.type_in("let a = 40;\nlet b = 2;\nprint(`sum ${a + b}`);\nsleep(1);\n`last ${a - b}`\n");
    terminal.wait("sum 42");
    terminal.wait("last 38");
    terminal.type_in("exit\n");
    assert_eq!(terminal.status(), Some(0));
}

#[test]
fn a_suspended_prompt_goes_on_where_it_was() {
    let mut shell = Terminal::start("exec bash --norc --noprofile -i", "xterm");
    shell.wait("# ");
    shell.type_in(&format!("{K3SRUN}\n")).wait("k3srun> ");
    shell.type_in("\"half typed").wait("half typed");
    shell.type_in("\x1a").wait("Stopped");
    shell.type_in("fg\n").wait("half typed");
    std::thread::sleep(Duration::from_millis(300));
    shell.type_in(" and the rest\"\n").wait(" and the rest\"\r\n\"half typed and the rest\"");
    shell.wait("k3srun> ");
    shell.type_in("\x04").wait("# ");
    shell.type_in("exit\n");
    assert_eq!(shell.status(), Some(0));
}

#[test]
fn a_change_is_shown_and_made_after_a_yes_and_only_once() {
    let mut terminal = Terminal::prompt();
    let path = terminal.file("motd");
    terminal.type_in("let n = 0\n").wait("k3srun> ");
    let entry = format!("n += 1; local().ensure([file(\"{path}\", #{{ content: \"hello\\n\" }})]); `n is ${{n}}`\n");
    let shown = terminal.type_in(&entry).wait("Make this change? [y/N, a = always] ");
    assert!(shown.contains("would change file:") && !std::fs::exists(&path).unwrap(), "{shown}");
    terminal.type_in("n\n").wait("nothing was changed");
    assert!(!std::fs::exists(&path).unwrap());
    terminal.type_in("n = 0;\n").wait("k3srun> ");
    terminal.type_in(&entry).wait("[y/N, a = always] ");
    terminal.type_in("y\n").wait("\"n is 1\"");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "hello\n");
    terminal.type_in(":plan\n").wait("k3srun plan> ");
    terminal.type_in(&format!("local().ensure([absent(\"{path}\")])\n")).wait("would change");
    terminal.wait("k3srun plan> ");
    assert!(std::fs::exists(&path).unwrap());
    terminal.type_in(":apply\n").wait("k3srun APPLY> ");
    terminal.type_in(&format!("local().ensure([absent(\"{path}\")])\n")).wait("1 changed, 0 ok");
    assert!(!std::fs::exists(&path).unwrap());
    terminal.type_in("exit(3)\n");
    assert_eq!(terminal.status(), Some(3));
}

#[test]
fn ctrl_c_ends_what_runs_and_nothing_else() {
    let mut terminal = Terminal::prompt();
    terminal.type_in("let x = 5\n").wait("k3srun> ");
    terminal.type_in("local().query(\"echo begun >&2; sleep 300\")\n").wait("\r\n");
    std::thread::sleep(Duration::from_millis(500));
    terminal.type_in("\x03").wait("interrupted");
    terminal.type_in("`x is ${x}`\n").wait("\"x is 5\"");

    let mut dumb = Terminal::start(&format!("exec {K3SRUN}"), "dumb");
    dumb.wait("k3srun> ");
    dumb.type_in("\x03");
    std::thread::sleep(Duration::from_millis(300));
    dumb.type_in("\n\nlocal().query(\"echo still here\")\n").wait("still here\r\n");
}

#[test]
fn two_prompts_keep_one_history() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let start = || {
        let mut terminal = Terminal::start_in(folder.clone(), &format!("exec {K3SRUN}"), "xterm");
        terminal.wait("k3srun> ");
        terminal
    };
    let (mut a, mut b) = (start(), start());
    a.type_in("\"from a 1\"\n").wait("\"from a 1\"\r\n\"from a 1\"");
    b.type_in("\"from b 1\"\n").wait("\"from b 1\"\r\n\"from b 1\"");
    a.type_in("\"from a 2\"\n").wait("\"from a 2\"\r\n\"from a 2\"");
    b.type_in("let Password = \"never kept\"\n").wait("k3srun> ");
    for terminal in [&mut a, &mut b] {
        terminal.wait("k3srun> ");
        terminal.type_in("\x04");
    }
    assert_eq!((a.status(), b.status()), (Some(0), Some(0)));
    let kept = std::fs::read_to_string(folder.path().join("state/k3srun/history")).unwrap();
    for line in ["\"from a 1\"", "\"from b 1\"", "\"from a 2\""] {
        assert!(kept.contains(line), "{kept}");
    }
    assert!(!kept.contains("never kept"), "{kept}");
}

#[test]
fn tab_completes_and_results_are_shown_whole() {
    let mut terminal = Terminal::prompt();
    terminal.type_in("let box1 = local()\n").wait("k3srun> ");
    terminal.type_in("box1.quer\t").wait("box1.query");
    terminal.type_in("(\"echo out; echo err >&2; exit 2\", #{ check: false })\n").wait("out\r\nerr\r\nexit status 2");
    terminal
        .type_in("[#{ name: \"a\", size: 1 }, #{ name: \"b\", size: 22 }]\n")
        .wait("name  size\r\na     1\r\nb     22");
    terminal.type_in("it.len()\n").wait("2\r\n");
    terminal.type_in("query?\n").wait("Host.query");
    terminal.type_in("foo(1)\n").wait("unknown function `foo`");
}
