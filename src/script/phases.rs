//! Which phases of a playbook run.

use std::sync::Mutex;
use std::sync::PoisonError;

use serde::Serialize;

/// The selection of `--only`, `--skip` and `--from`.
#[derive(Debug, Default, Serialize)]
pub struct Phases {
    /// Run only these, if any are named.
    pub only: Vec<String>,
    /// Leave these out.
    pub skip: Vec<String>,
    /// Leave out what comes before this one.
    pub from: Option<String>,
    #[serde(skip)]
    reached: Mutex<bool>,
}

impl Phases {
    /// A selection. Empty lists and no `from` select everything.
    pub fn new(only: Vec<String>, skip: Vec<String>, from: Option<String>) -> Self {
        Phases { only, skip, from, reached: Mutex::new(false) }
    }

    /// Whether the phase `name`, which the script has come to, runs.
    ///
    /// ```
    /// use k3srun::script::Phases;
    /// let phases = Phases::new(vec![], vec!["agent".into()], Some("server".into()));
    /// assert!(!phases.wanted("base"));
    /// assert!(phases.wanted("server"));
    /// assert!(!phases.wanted("agent"));
    /// assert!(phases.wanted("verify"));
    /// ```
    pub fn wanted(&self, name: &str) -> bool {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        *reached |= self.from.as_deref().is_none_or(|from| from == name);
        let named = |list: &[String]| list.iter().any(|phase| phase == name);
        *reached && !named(&self.skip) && (self.only.is_empty() || named(&self.only))
    }
}
