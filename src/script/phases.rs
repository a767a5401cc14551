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
    met: Mutex<Vec<String>>,
}

impl Phases {
    /// A selection. Empty lists and no `from` select everything.
    pub fn new(only: Vec<String>, skip: Vec<String>, from: Option<String>) -> Self {
        Phases { only, skip, from, met: Mutex::default() }
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
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if !met.iter().any(|phase| phase == name) {
            met.push(name.to_owned());
        }
        let named = |list: &[String]| list.iter().any(|phase| phase == name);
        let reached = self.from.as_ref().is_none_or(|from| met.contains(from));
        reached && !named(&self.skip) && (self.only.is_empty() || named(&self.only))
    }

    /// The phases that the script has come to, whether they ran or not.
    pub fn met(&self) -> Vec<String> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The phases that were named, and that the script never came to.
    pub fn missed(&self) -> Vec<&str> {
        let met = self.met();
        let named = self.only.iter().chain(&self.skip).chain(&self.from);
        named.map(String::as_str).filter(|name| !met.iter().any(|phase| phase == name)).collect()
    }
}
