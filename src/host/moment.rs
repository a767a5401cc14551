//! Times as systemd tells them.

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// A time that `systemctl show` printed with TZ=UTC, e.g. `Fri 2026-11-27 04:13:00 UTC`, or with parts of a second. Nothing where
/// it never was: then there is no text.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let time = strtime::parse("%a %Y-%m-%d %H:%M:%S%.f UTC", text);
    let time = time.or_else(|_| strtime::parse("%a %Y-%m-%d %H:%M:%S UTC", text)).ok()?.to_datetime().ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_utc() {
        let read = |text| moment(text).map(|time| time.to_string());
        assert_eq!(read("Fri 2026-11-27 04:13:00 UTC").as_deref(), Some("2026-11-27T04:13:00Z"));
        assert_eq!(read("Fri 2026-11-27 04:13:00.25 UTC").as_deref(), Some("2026-11-27T04:13:00.25Z"));
        assert_eq!(read(""), None);
        assert_eq!(read("Fri 2026-11-27 12:13:00 CST"), None);
    }
}
