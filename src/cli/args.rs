//! What the command line can say.

use std::path::PathBuf;

use clap::{ColorChoice, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use super::words;

/// How the run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Live progress, one line per finished phase.
    Pretty,
    /// One line per event.
    Plain,
    /// One JSON object per line, described in docs/events.md.
    Json,
}

/// What k3srun does besides running scripts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find mistakes in scripts without running them and without a host
    #[command(after_help = "\
Finds syntax errors, missing modules, unknown functions, wrong numbers of arguments,
undefined variables and unknown options, also in what the scripts import. The exit
status is 1 if anything is wrong.

Examples:
  k3srun check scripts stdlib
  k3srun check my-playbook.rhai")]
    Check {
        /// Scripts, or folders of scripts
        #[arg(required = true, value_name = "SCRIPT", value_hint = ValueHint::AnyPath)]
        paths: Vec<PathBuf>,
    },
    /// Explain what scripts can call: a function, a type, a namespace, a module; or list all names
    #[command(after_help = "\
Examples:
  k3srun help
  k3srun help ssh::connect
  k3srun help Host")]
    Help {
        /// The name
        name: Option<String>,

        /// Write the whole reference as Markdown
        #[arg(long, conflicts_with = "name")]
        markdown: bool,
    },
    /// Write the playbooks and modules that come with k3srun into a folder, to be read and edited
    #[command(after_help = "\
Afterwards the folder has scripts/, stdlib/ and cluster.toml.example. A script in scripts/ that
is named with its path is run as it stands there, and --stdlib names the folder with your modules.

Examples:
  k3srun playbooks my-cluster
  cd my-cluster && k3srun --stdlib stdlib scripts/bootstrap.rhai --plan")]
    Playbooks {
        /// The folder
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
    /// Print a script that completes k3srun's command line in a shell
    #[command(after_help = "\
Examples:
  k3srun completions bash > ~/.local/share/bash-completion/completions/k3srun
  k3srun completions zsh > ~/.zfunc/_k3srun
  k3srun completions fish > ~/.config/fish/completions/k3srun.fish")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

const USAGE: &str = "k3srun [OPTIONS] SCRIPT [ARGS]...
       k3srun [OPTIONS] -e EXPR [ARGS]...
       k3srun COMMAND";

const EXAMPLES: &str = "\
Examples:
  k3srun init root@master.example root@worker.example
                                                look at them, write cluster.toml
  k3srun scripts/bootstrap.rhai --plan          show what would change
  k3srun scripts/bootstrap.rhai                 build it; again: 0 changed
  k3srun scripts/bootstrap.rhai --only verify   one phase only
  k3srun -e 'local().query(\"uname -r\").stdout'  try an expression
  echo 'log(\"hello\")' | k3srun -                a script from standard input";

const MORE: &str = "\
Which words are whose:
  k3srun's own options are recognised before and after SCRIPT. All other words
  after SCRIPT go to the script, which gets them from args(). So does everything
  after `--`, whatever it looks like, and --help and --version after SCRIPT.
    k3srun scripts/lab.rhai --name a up --plan           --plan is k3srun's
    k3srun scripts/lab.rhai exec master -- ls -q --plan  -q and --plan are not
  A script that has the name of a command is named with its folder: ./check
  The playbooks come with k3srun: where there is no file scripts/bootstrap.rhai,
  that or `bootstrap` is the one that is built in.

What is where:
  cluster.toml           the machines and the cluster; in the working directory,
                         or named with -c. See cluster.toml.example.
  ~/.local/state/k3srun  the logs of the last 100 runs, readable by you only and
                         without secrets; $XDG_STATE_HOME counts.

What is shown:
  Standard output has what the script prints, and with --output json all events.
  Everything else is on standard error.

A run that failed or was interrupted is finished by running it again: what is
done stays done.";

const STATUS: &str = "\
Exit status:
  0    success
  1    the script has an error
  2    bad input, or k3srun refuses
  3    a host failed
  4    a host can't be reached
  130  interrupted (Ctrl-C, SIGTERM)";

/// Turns two fresh Linux machines into a hardened k3s cluster, by playbooks in Rhai.
#[derive(Debug, Parser)]
#[command(
    name = "k3srun",
    version,
    override_usage = USAGE,
    after_help = format!("{EXAMPLES}\n\n{STATUS}\n\n--help says more than -h."),
    after_long_help = format!("{EXAMPLES}\n\n{MORE}\n\n{STATUS}"),
    disable_help_subcommand = true,
)]
#[allow(clippy::struct_excessive_bools)]
pub struct Args {
    /// What to do instead of running a script.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The playbook to run, `-` for standard input; then what it gets from args()
    #[arg(value_name = "SCRIPT [ARGS]", num_args = 0.., value_hint = ValueHint::FilePath)]
    words: Vec<String>,

    /// Evaluate an expression and print its value
    #[arg(short, long, value_name = "EXPR", allow_hyphen_values = true)]
    pub eval: Option<String>,

    /// The description of the cluster; cluster.toml in the working directory by default
    #[arg(short, long, value_name = "FILE", env = "K3SRUN_CONFIG", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// Override a value of the config, e.g. --set k3s.version=v1.36.5+k3s1; may be given many times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,

    /// Show what would change and change nothing
    #[arg(long)]
    pub plan: bool,

    /// Answer every question with yes
    #[arg(short, long)]
    pub yes: bool,

    /// Run only these phases, e.g. --only base,server
    #[arg(long, value_name = "PHASE", value_delimiter = ',')]
    pub only: Vec<String>,

    /// Leave these phases out
    #[arg(long, value_name = "PHASE", value_delimiter = ',')]
    pub skip: Vec<String>,

    /// Start at this phase
    #[arg(long, value_name = "PHASE")]
    pub from: Option<String>,

    /// Look for imported modules here before the built-in ones
    #[arg(long, value_name = "DIR", env = "K3SRUN_STDLIB", value_hint = ValueHint::DirPath, global = true)]
    pub stdlib: Option<PathBuf>,

    /// How to show the run; pretty on a terminal, plain elsewhere
    #[arg(short, long, value_enum, value_name = "FORMAT", global = true)]
    pub output: Option<OutputFormat>,

    /// Show more: -v each change and the output of commands, -vv what the conversation with each host costs
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,

    /// Show only warnings, errors and what the script prints
    #[arg(short, long, conflicts_with = "verbose", global = true)]
    pub quiet: bool,

    /// When to use colours; NO_COLOR is honoured
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN", global = true)]
    pub color: ColorChoice,
}

impl Args {
    /// Parses the words of a command line, the first of which is the program's name.
    ///
    /// # Errors
    /// Help and version are errors, too, as clap has them.
    pub fn parse(line: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Self, clap::Error> {
        let mut command = Args::command();
        command.build();
        let sorted = words::sorted(&command, line)?;
        let args = Args::from_arg_matches(&Args::command().try_get_matches_from(sorted)?)?;
        Ok(args)
    }

    /// The script's name, unless there is an expression instead.
    pub fn script(&self) -> Option<&str> {
        if self.eval.is_some() { None } else { self.words.first().map(String::as_str) }
    }

    /// What the script gets from `args()`.
    pub fn script_args(&self) -> &[String] {
        if self.eval.is_some() { &self.words } else { self.words.get(1..).unwrap_or_default() }
    }

    /// Writes the completion script of a shell to standard output.
    pub fn completions(shell: Shell) -> String {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Args::command(), "k3srun", &mut script);
        String::from_utf8_lossy(&script).into_owned()
    }
}
