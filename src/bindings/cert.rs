//! `cert::`: certificates by cert-manager and ACME.

use rhai::EvalAltResult;
use rhai::plugin::*;
use serde::Serialize;

use crate::cert::{CertificateOptions, CheckOptions, IssuerOptions, Named, ReadyOptions, WaitOptions};
use crate::script::{OptionSet, Options};

impl Options for IssuerOptions {
    const FUNCTIONS: &[&str] = &["cert::issuer"];
}

impl Options for CertificateOptions {
    const FUNCTIONS: &[&str] = &["cert::certificate"];
}

impl Options for WaitOptions {
    const FUNCTIONS: &[&str] = &["cert::wait"];
}

impl Options for ReadyOptions {
    const FUNCTIONS: &[&str] = &["cert::ready"];
}

impl Options for CheckOptions {
    const FUNCTIONS: &[&str] = &["cert::check"];
}

impl Options for Named {
    const FUNCTIONS: &[&str] = &["cert::status", "cert::renew"];
}

/// The option maps of this namespace.
pub(super) fn options() -> Vec<OptionSet> {
    vec![
        OptionSet::of::<IssuerOptions>(),
        OptionSet::of::<CertificateOptions>(),
        OptionSet::of::<WaitOptions>(),
        OptionSet::of::<ReadyOptions>(),
        OptionSet::of::<CheckOptions>(),
        OptionSet::of::<Named>(),
    ]
}

fn value<T: Serialize>(found: T) -> Result<Dynamic, Box<EvalAltResult>> {
    rhai::serde::to_dynamic(found)
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::{Array, EvalAltResult, Map};

    use super::value;
    use crate::cert::{self, CertificateOptions, CheckOptions, IssuerOptions, Named, ReadyOptions, WaitOptions};
    use crate::error::Error;
    use crate::host::Host;
    use crate::kube::Kube;
    use crate::script::{block, context, fail, options};

    /// Waits until cert-manager takes objects: its webhook has a say in each of them. 120 s at most.
    ///
    /// # Example
    /// ```rhai,no_run
    /// cert::ready(kube::connect(ssh::connect("master")));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn ready(call: NativeCallContext, kube: Kube) -> Result<(), Box<EvalAltResult>> {
        ready_with(call, kube, Map::new())
    }

    /// Waits until cert-manager takes objects. Options: `namespace` (where it is installed; `cert-manager`), `timeout` in seconds
    /// (120). The error says what its pods lack, or what is between the API server and the webhook.
    ///
    /// # Example
    /// ```rhai,no_run
    /// cert::ready(kube::connect(ssh::connect("master")), #{ timeout: 300 });
    /// ```
    #[rhai_fn(name = "ready", return_raw)]
    pub fn ready_with(call: NativeCallContext, kube: Kube, settings: Map) -> Result<(), Box<EvalAltResult>> {
        let settings: ReadyOptions = options(&call, settings)?;
        block(&call, &context(&call), cert::ready(&kube, &settings))
    }

    /// Makes an ACME issuer as it is wanted, and waits until its account is registered. It proves by HTTP-01, through an ingress
    /// controller, whose names they are. Returns whether anything was changed.
    ///
    /// Options: `server` (the URL of the ACME directory), `ingress_class`: both needed; `email` (for the account), `ca` (PEM: the
    /// authority of the server's own certificate, where it is not a public one), `namespace` (makes an Issuer there; default: a
    /// ClusterIssuer), `account_key` (the Secret for the account's key; the issuer's name with `-account-key`),
    /// `ingress_annotations` (a map, for the Ingress that leads to the solver), `node_selector` (a map: where the solver's pods
    /// run), `resources` (a map: what they need), `timeout` in seconds (60; 0: don't wait).
    ///
    /// # Example
    /// ```rhai,no_run
    /// cert::issuer(kube::connect(ssh::connect("master")), "letsencrypt-staging", #{
    ///     server: "https://acme-staging-v02.api.letsencrypt.org/directory",
    ///     email: "ops@example.org",
    ///     ingress_class: "traefik",
    /// });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn issuer(call: NativeCallContext, kube: Kube, name: &str, settings: Map) -> Result<bool, Box<EvalAltResult>> {
        let settings: IssuerOptions = options(&call, settings)?;
        block(&call, &context(&call), cert::issuer(&kube, name, &settings))
    }

    /// Makes a certificate as it is wanted: cert-manager orders it, and renews it in time. `cert::wait` waits for it. Returns
    /// whether anything was changed.
    ///
    /// Options: `hosts` (the names that it is for), `issuer` (its name): both needed; `namespace` (`default`), `issuer_kind`
    /// (`ClusterIssuer`, or `Issuer` for one of the same namespace), `secret` (where it is kept; its name), `renew_before` (so
    /// many seconds before its end, at least 300; default: after two thirds of its time).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// cert::certificate(k, "web", #{ namespace: "apps", hosts: ["www.example.org"], issuer: "letsencrypt-staging" });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn certificate(
        call: NativeCallContext,
        kube: Kube,
        name: &str,
        settings: Map,
    ) -> Result<bool, Box<EvalAltResult>> {
        let settings: CertificateOptions = options(&call, settings)?;
        block(&call, &context(&call), cert::certificate(&kube, name, &settings))
    }

    /// Waits until a certificate of the namespace `default` is issued.
    ///
    /// # Example
    /// ```rhai,no_run
    /// cert::wait(kube::connect(ssh::connect("master")), "web");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn wait(call: NativeCallContext, kube: Kube, name: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        wait_with(call, kube, name, Map::new())
    }

    /// Waits until a certificate is issued, and shows how far its order is. Returns what `cert::status` does. The error says what
    /// the certificate lacks and what to do: at once where cert-manager has given up, and where the same problem has lasted for
    /// a while. With `--plan` it only looks.
    ///
    /// Options: `namespace` (`default`), `timeout` in seconds (600), `patience` in seconds (60: how long the same problem may last
    /// while cert-manager still tries).
    ///
    /// # Example
    /// ```rhai,no_run
    /// cert::wait(kube::connect(ssh::connect("master")), "web", #{ namespace: "apps", patience: 300 });
    /// ```
    #[rhai_fn(name = "wait", return_raw)]
    pub fn wait_with(
        call: NativeCallContext,
        kube: Kube,
        name: &str,
        settings: Map,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let settings: WaitOptions = options(&call, settings)?;
        value(block(&call, &context(&call), cert::wait(&kube, name, &settings))?)
    }

    /// The states of all certificates, as an array of the maps that `cert::status(k, name)` returns.
    ///
    /// # Example
    /// ```rhai,no_run
    /// for one in cert::status(kube::connect(ssh::connect("master"))) { print(one.text) }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn status(call: NativeCallContext, kube: Kube) -> Result<Dynamic, Box<EvalAltResult>> {
        value(block(&call, &context(&call), cert::all(&kube, None))?)
    }

    /// The state of a certificate of the namespace `default`.
    ///
    /// # Example
    /// ```rhai,no_run
    /// print(cert::status(kube::connect(ssh::connect("master")), "web").text);
    /// ```
    #[rhai_fn(name = "status", return_raw)]
    pub fn status_of(call: NativeCallContext, kube: Kube, name: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        status_with(call, kube, name, Map::new())
    }

    /// The state of a certificate, as a map: `name`, `namespace`, `ready`, `issuing` (it is being ordered or renewed), `hosts`,
    /// `issuer`, `secret`, `revision`, `not_before`, `not_after`, `renewal` (times as text), `served` (the X.509 certificates of
    /// its Secret, the site's own first: maps of `subject`, `issuer`, `hosts`, `not_after`), `step` (how far it is), `chain` (the
    /// objects of the newest order from the Certificate to the challenges: maps of `kind`, `name`, `state`, `reason`), `problem`,
    /// `remedy`, `next_try` (when cert-manager tries again after a failure), `text` (all of it for people). Option: `namespace` (`default`).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let state = cert::status(kube::connect(ssh::connect("master")), "web", #{ namespace: "apps" });
    /// if state.problem != "" { warn(`${state.problem}; ${state.remedy}`) }
    /// ```
    #[rhai_fn(name = "status", return_raw)]
    pub fn status_with(
        call: NativeCallContext,
        kube: Kube,
        name: &str,
        settings: Map,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let settings: Named = options(&call, settings)?;
        let namespace = settings.namespace.as_deref().unwrap_or("default");
        value(block(&call, &context(&call), cert::status(&kube, name, namespace))?)
    }

    /// Has a certificate of the namespace `default` ordered again.
    ///
    /// # Example
    /// ```rhai,no_run
    /// cert::renew(kube::connect(ssh::connect("master")), "web");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn renew(call: NativeCallContext, kube: Kube, name: &str) -> Result<bool, Box<EvalAltResult>> {
        renew_with(call, kube, name, Map::new())
    }

    /// Has a certificate ordered again now: also one that is still valid, and one that cert-manager lets sleep for hours after a
    /// failure. Correct the cause first: each failure counts for the rate limits. Returns whether it was not being ordered yet.
    /// Option: `namespace` (`default`).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// cert::renew(k, "web", #{ namespace: "apps" });
    /// cert::wait(k, "web", #{ namespace: "apps" });
    /// ```
    #[rhai_fn(name = "renew", return_raw)]
    pub fn renew_with(
        call: NativeCallContext,
        kube: Kube,
        name: &str,
        settings: Map,
    ) -> Result<bool, Box<EvalAltResult>> {
        let settings: Named = options(&call, settings)?;
        block(&call, &context(&call), cert::renew(&kube, name, &settings))
    }

    /// Looks before an order at what the ACME server will look at: whether the name resolves to the right addresses only, in IPv4
    /// and IPv6, and whether port 80 answers there and lets challenges through. It looks from the cluster's server, which is
    /// another machine than those at which the name leads. Returns what is wrong, as maps of `from` (where it was seen from),
    /// `problem` and `remedy`; an empty list where nothing is. It changes nothing, and costs nothing of the rate limits.
    /// Option: `addresses` (needed: where the name may lead, the workers' public addresses), `via` (addresses and
    /// networks in front of them that lead on to them, where a challenge must get through as it is).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// for one in cert::check(k, "www.example.org", #{ addresses: ["203.0.113.20"] }) { warn(`${one.problem}; ${one.remedy}`) }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn check(
        call: NativeCallContext,
        kube: Kube,
        name: &str,
        settings: Map,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        check_from(call, kube, name, settings, Array::new())
    }

    /// The same from further hosts, too.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// let wrong = cert::check(k, "www.example.org", #{ addresses: ["203.0.113.20"] }, [local()]);
    /// ```
    #[rhai_fn(name = "check", return_raw)]
    pub fn check_from(
        call: NativeCallContext,
        kube: Kube,
        name: &str,
        settings: Map,
        from: Array,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let settings: CheckOptions = options(&call, settings)?;
        let hosts = from.into_iter().map(|host| host.try_cast::<Host>()).collect::<Option<Vec<_>>>();
        let bad = || fail(&call, Error::script("check(): the hosts to look from must be a list of hosts"));
        let hosts = hosts.ok_or_else(bad)?;
        value(block(&call, &context(&call), cert::check(&kube, name, &hosts, &settings))?)
    }
}
