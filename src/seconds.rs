//! Times that users give in seconds.

use std::time::Duration;

/// A leap year: what is longer is a mistake, and clocks can't count it.
const LONGEST: f64 = 366.0 * 86400.0;

/// A time of so many seconds, from none to a year; nothing for any other number.
pub fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number).ok().filter(|_| number <= LONGEST)
}
