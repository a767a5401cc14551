//! Certificates by cert-manager and ACME: issuers, certificates, how far an order is, and why one doesn't come.
//!
//! What is wanted are objects of cert-manager ([`issuer`], [`certificate`]). An order is a chain of objects, Certificate ->
//! CertificateRequest -> Order -> Challenge, each with a state of its own; [`status`] reads it as one, [`wait`] follows it
//! until the certificate is there or can't come. [`check`] looks before an order at what the ACME server will look at, so
//! that its rate limits aren't spent on mistakes.

mod chain;
mod check;
mod diagnosis;
mod objects;
mod ready;
mod reason;
mod status;
mod wait;

pub use check::{CheckOptions, Finding, check};
pub use objects::{CertificateOptions, IssuerOptions, Named, certificate, issuer, renew};
pub use ready::{ReadyOptions, ready};
pub use status::{Link, Status, all, status};
pub use wait::{WaitOptions, wait};

/// The kinds, each with its group: other programs have kinds of the same names.
const CERTIFICATE: &str = "certificates.cert-manager.io";
const REQUEST: &str = "certificaterequests.cert-manager.io";
const ORDER: &str = "orders.acme.cert-manager.io";
const CHALLENGE: &str = "challenges.acme.cert-manager.io";

/// What is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// In cert-manager's or the ACME server's own words, after ours.
    pub cause: String,
    /// What a person can do.
    pub remedy: String,
    /// How it goes on if nobody does anything.
    pub outlook: Outlook,
}

/// How a problem goes on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// It will pass.
    Passing,
    /// cert-manager tries again and again, but it is not likely to pass.
    Lasting,
    /// cert-manager has given up.
    Final,
}
