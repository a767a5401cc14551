//! `firewall::`: what a host lets in.

use rhai::plugin::*;

use crate::firewall::Policy;
use crate::script::Options;

impl Options for Policy {
    const FUNCTIONS: &[&str] = &["firewall::apply", "firewall::test"];
}

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::{Array, EvalAltResult, Map};

    use crate::firewall::{self, Policy};
    use crate::host::Host;
    use crate::script::{block, context, options};

    /// Makes a host let in what the policy opens, and nothing else, in IPv4 and IPv6: an nftables table of its own,
    /// `inet k3srun`, also after every boot before the network is up. Other tables are left alone. Published ports of the
    /// cluster (NodePort, hostPort) are closed, too, unless the policy opens them. Returns whether anything was changed.
    ///
    /// A service of the host loads them again when another program has removed or changed them. Rules that don't load at boot leave
    /// SSH open to whom the policy opens it, and nothing else.
    ///
    /// The rules are confirmed over a new connection from where you are; without that the host takes them back within a
    /// minute, also if it reboots in between. A policy that would lock you out is refused; so is one beside an active ufw or
    /// firewalld.
    ///
    /// The policy is a map: `sources` (a map: by a name of your choice, maps with `networks`, a list of addresses and networks,
    /// `interfaces`, a list, and `routes`, false: whether the host forwards what comes from there, as for pods; both must fit
    /// where both are given), `open` (a list of maps with `port`, a number or a range as text, `protocol`, `tcp` or `udp`, `to`,
    /// the name of a source or `internet`, which is everybody, and `service`, a word for people), `replace` (a list of `ufw` and
    /// `firewalld`: disabled if they are active), `required_by` (a list of units, e.g. `k3s.service`, that don't start while the
    /// rules aren't in force).
    ///
    /// # Example
    /// ```rhai,no_run
    /// firewall::apply(ssh::connect("web"), #{
    ///     sources: #{ admin: #{ networks: ["198.51.100.0/24", "2001:db8:2::/64"] } },
    ///     open: [
    ///         #{ port: 22, protocol: "tcp", to: "admin", service: "SSH" },
    ///         #{ port: 443, protocol: "tcp", to: "internet", service: "HTTPS" },
    ///     ],
    /// });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn apply(call: NativeCallContext, host: Host, policy: Map) -> Result<bool, Box<EvalAltResult>> {
        let policy: Policy = options(&call, policy)?;
        block(&call, &context(&call), firewall::apply(&host, &policy))
    }

    /// What speaks against loading a policy on a host: a list of texts, empty if nothing does. It changes nothing. That the
    /// policy would not let you in from where you are now is one of them.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let web = ssh::connect("web");
    /// let problems = firewall::test(web, #{
    ///     sources: #{ admin: #{ networks: ["192.0.2.0/24"] } },
    ///     open: [#{ port: 22, protocol: "tcp", to: "admin" }],
    /// });
    /// for problem in problems { warn(problem) }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn test(call: NativeCallContext, host: Host, policy: Map) -> Result<Array, Box<EvalAltResult>> {
        let policy: Policy = options(&call, policy)?;
        let problems = block(&call, &context(&call), firewall::problems(&host, &policy))?;
        Ok(problems.into_iter().map(Into::into).collect())
    }

    /// What the firewall of a host is, as a map: `active`, `persistent` (it is as it was loaded, and will be loaded at the next
    /// boot), `watched` (the host loads it again when another program removes or changes it), `restored` (a list of the last times
    /// that it had to: maps of `at`, in seconds since 1970, and `what`, `removed` or `changed`), `minimal` (its rules don't load:
    /// everything but SSH is closed), `pending` (a change waits for its confirmation), `open` (a list of maps with `port`, `protocol`, `to`, `service`),
    /// `sources` (a map of lists of networks), `dropped` (a map of `packets` and `bytes` since it was loaded), `others`
    /// (nftables tables that are not ours), `rivals` (active firewalls: `ufw`, `firewalld`).
    ///
    /// # Example
    /// ```rhai,no_run
    /// let state = firewall::status(ssh::connect("master"));
    /// print(`${state.dropped.packets} packets were dropped`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn status(call: NativeCallContext, host: Host) -> Result<Map, Box<EvalAltResult>> {
        let status = block(&call, &context(&call), firewall::status(&host))?;
        let value = rhai::serde::to_dynamic(status)?;
        Ok(value.cast::<Map>())
    }
}
