//! Keeps what is in the memory of k3srun off the disk.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// From now on neither a crash nor another process of the user makes a copy of this process's memory, in which there are
/// secrets. What it starts leaves no core dump either, unless it asks for one itself. Where the system refuses that, k3srun
/// runs all the same.
pub fn close() {
    // The limit doesn't count where core dumps go to a program: so there is none to be had.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..getrlimit(Resource::Core) });
}
