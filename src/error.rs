//! The one error type below the language: what went wrong, where, why, and what to do about it.

use std::{fmt, sync::Arc};

/// What sort of failure an [`Error`] is. It decides the exit status of the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A script, or the use of a function in it, is wrong.
    Script,
    /// The user's input is wrong, or k3srun refuses to do what was asked.
    Refused,
    /// A host did not do what it was told to.
    Host,
    /// A host can't be reached or doesn't let us in.
    Unreachable,
    /// The user pressed Ctrl-C or the run got SIGTERM.
    Interrupted,
}

impl Kind {
    /// The exit status of a run that ends with this kind of error.
    ///
    /// ```
    /// use k3srun::error::Kind;
    /// assert_eq!(Kind::Refused.exit_status(), 2);
    /// assert_eq!(Kind::Interrupted.exit_status(), 130);
    /// ```
    pub fn exit_status(self) -> u8 {
        match self {
            Kind::Script => 1,
            Kind::Refused => 2,
            Kind::Host => 3,
            Kind::Unreachable => 4,
            Kind::Interrupted => 130,
        }
    }

    /// The word that scripts see as `error.kind`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Script => "script",
            Kind::Refused => "refused",
            Kind::Host => "host",
            Kind::Unreachable => "unreachable",
            Kind::Interrupted => "interrupted",
        }
    }
}

/// Which of the refusals it is that callers tell apart, whatever the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The cluster doesn't know this kind of object: its API group is missing.
    UnknownKind,
    /// There is no such object.
    NotFound,
    /// It is there already.
    AlreadyExists,
    /// The login is not accepted.
    Unauthorized,
    /// It may not be done: by a rule of access, or of admission.
    Forbidden,
    /// Somebody else changed it, or manages the same fields.
    Conflict,
    /// What was asked for is too long ago to be told.
    Gone,
    /// What was sent is no valid object.
    Invalid,
    /// It didn't come in time.
    Timeout,
    /// Nobody answers, or is not ready to.
    Unavailable,
    /// No name server knows the name, or none answers.
    NameNotFound,
    /// The machine is there, and no program listens at the port.
    ConnectionRefused,
    /// The certificate proves nothing to us.
    Untrusted,
    /// What answers doesn't speak the protocol.
    BadAnswer,
}

impl Reason {
    /// The word that scripts see as `error.reason`.
    ///
    /// ```
    /// assert_eq!(k3srun::error::Reason::NotFound.name(), "not_found");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Reason::UnknownKind => "unknown_kind",
            Reason::NotFound => "not_found",
            Reason::AlreadyExists => "already_exists",
            Reason::Unauthorized => "unauthorized",
            Reason::Forbidden => "forbidden",
            Reason::Conflict => "conflict",
            Reason::Gone => "gone",
            Reason::Invalid => "invalid",
            Reason::Timeout => "timeout",
            Reason::Unavailable => "unavailable",
            Reason::NameNotFound => "name_not_found",
            Reason::ConnectionRefused => "connection_refused",
            Reason::Untrusted => "untrusted",
            Reason::BadAnswer => "bad_answer",
        }
    }
}

/// A failure that a person at the keyboard can act on.
///
/// ```
/// use k3srun::error::Error;
/// let e = Error::refused("no cluster.toml here").help("pass one with -c FILE");
/// assert_eq!(e.to_string(), "no cluster.toml here");
/// assert_eq!(e.help.as_deref(), Some("pass one with -c FILE"));
/// ```
#[derive(Debug, Clone)]
pub struct Error {
    /// Decides the exit status.
    pub kind: Kind,
    /// What callers tell apart within a kind.
    pub reason: Option<Reason>,
    /// What was tried and how it failed, in one sentence.
    pub message: String,
    /// The host on which it happened.
    pub host: Option<String>,
    /// What to do now.
    pub help: Option<String>,
    /// The last output of what failed, already free of secrets.
    pub output: Option<String>,
    /// Where the user's input has several problems: these, as its related diagnostics with excerpts of the input.
    pub problems: Option<Arc<dyn miette::Diagnostic + Send + Sync>>,
}

/// Shorthand for a result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the given kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error { kind, reason: None, message: message.into(), host: None, help: None, output: None, problems: None }
    }

    /// Wrong use of a function in a script.
    pub fn script(message: impl Into<String>) -> Self {
        Self::new(Kind::Script, message)
    }

    /// Bad input, or a request that is refused.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message)
    }

    /// Something failed on a host.
    pub fn host(message: impl Into<String>) -> Self {
        Self::new(Kind::Host, message)
    }

    /// A host can't be reached.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unreachable, message)
    }

    /// The run was cancelled.
    pub fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted")
    }

    /// Adds what callers can tell it by.
    pub fn because(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Adds the remedy.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the host's name.
    pub fn on(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Adds the output of what failed, if there was any.
    pub fn output(mut self, output: impl Into<String>) -> Self {
        self.output = Some(output.into()).filter(|output| !output.trim().is_empty());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{host}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {}
