//! Faults at chosen moments: each was once the end of a run that the next one did not mend.

use libtest_mimic::Trial;

use crate::bootstrap::Desk;
use crate::fault::{RUN, hold_apt_lock};
use crate::round::{finished_by_running_it_again, fresh_lab};
use crate::support::lab::{Lab, Step};

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, test: fn(&Lab, &Desk) -> Step| {
        Trial::test(name, move || {
            let lab = fresh_lab("case")?;
            let done = Desk::new().and_then(|desk| test(&lab, &desk));
            Ok(done.and(lab.down())?)
        })
    };
    vec![trial("apt_is_locked_then_cut_off_in_the_middle_of_a_package", apt)]
}

/// The run waits for the lock, and says for whom. Then it is killed while dpkg is at work: apt refuses everything until what
/// was begun is finished.
fn apt(lab: &Lab, desk: &Desk) -> Step {
    hold_apt_lock(lab, "worker", 15)?;
    // Where it is held at the beginning, preflight already refuses.
    let mut run = desk.bootstrap_with(lab, &["--skip", "preflight"])?;
    let named = run.follow(RUN, |event| {
        let text = event["text"].as_str().unwrap_or_default();
        event["host"] == "worker" && text.starts_with("waiting for process ") && text.contains("(perl)")
    })?;
    if !named {
        return Err("bootstrap did not say who holds apt's lock".into());
    }
    let at_work = "for i in $(seq 300); do pgrep -f [c]onntrack.postinst >/dev/null && exit; sleep 0.1; done; exit 1";
    lab.exec("worker", at_work)?;
    run.kill()?;
    run.end(RUN)?;
    finished_by_running_it_again(lab, desk)
}
