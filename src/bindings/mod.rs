//! What scripts can call: one file per namespace. A binding converts, calls the domain, converts back; it decides nothing.
//!
//! The doc comment and the example of every function here are what `--help`, the reference and completion show.

// `export_module` writes unwraps of arguments that Rhai has counted and checked; there are none of our own here.
#![allow(clippy::unwrap_used)]

mod archive;
mod backup;
mod cert;
mod config;
mod error;
mod facts;
mod firewall;
mod flow;
mod helm;
mod host;
mod k3s;
mod kube;
mod net;
mod resource;
mod secret;
mod ssh;
mod text;
mod transfer;
mod tunnel;

use std::sync::Arc;

use rhai::{Engine, exported_module};

use crate::firewall::Policy;
use crate::host::{Facts, Host, Output, Tunnel};
use crate::k3s::{AgentOptions, KubeconfigOptions, MergeOptions, ServerOptions, SnapshotOptions};
use crate::script::{Catalog, Failure, OptionSet, Secret};

/// Registers everything.
pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Host>("Host")
        .register_type_with_name::<Output>("Output")
        .register_type_with_name::<Arc<Facts>>("Facts")
        .register_type_with_name::<Tunnel>("Tunnel")
        .register_type_with_name::<crate::helm::Helm>("Helm")
        .register_type_with_name::<crate::net::Response>("Response")
        .register_type_with_name::<Failure>("Error")
        .register_type_with_name::<Secret>("Secret");
    engine.register_global_module(exported_module!(archive::api).into());
    engine.register_global_module(exported_module!(error::api).into());
    engine.register_global_module(exported_module!(facts::api).into());
    engine.register_global_module(exported_module!(flow::api).into());
    engine.register_global_module(exported_module!(host::api).into());
    engine.register_global_module(exported_module!(secret::api).into());
    engine.register_global_module(exported_module!(text::api).into());
    engine.register_global_module(exported_module!(transfer::api).into());
    engine.register_global_module(exported_module!(tunnel::api).into());
    engine.register_static_module("backup", exported_module!(backup::api).into());
    engine.register_static_module("cert", exported_module!(cert::api).into());
    engine.register_static_module("config", exported_module!(config::api).into());
    engine.register_static_module("dns", exported_module!(net::reach::dns).into());
    engine.register_static_module("firewall", exported_module!(firewall::api).into());
    engine.register_static_module("helm", exported_module!(helm::api).into());
    engine.register_static_module("http", exported_module!(net::http::api).into());
    engine.register_static_module("k3s", exported_module!(k3s::api).into());
    kube::register(engine);
    resource::register(engine);
    engine.register_static_module("ssh", exported_module!(ssh::api).into());
    engine.register_static_module("tcp", exported_module!(net::reach::tcp).into());
    engine.register_static_module("tls", exported_module!(net::reach::tls).into());
}

/// Every option map that a function takes.
fn options() -> Vec<OptionSet> {
    let mut options = vec![
        OptionSet::of::<flow::Play>(),
        OptionSet::of::<flow::Retry>(),
        OptionSet::of::<host::Reboot>(),
        OptionSet::of::<host::RunOptions>(),
        OptionSet::of::<AgentOptions>(),
        OptionSet::of::<KubeconfigOptions>(),
        OptionSet::of::<MergeOptions>(),
        OptionSet::of::<Policy>(),
        OptionSet::of::<ServerOptions>(),
        OptionSet::of::<SnapshotOptions>(),
        OptionSet::of::<ssh::Connect>(),
    ];
    options.extend(backup::options());
    options.extend(cert::options());
    options.extend(helm::options());
    options.extend(kube::options());
    options.extend(net::options());
    options.extend(resource::options());
    options
}

/// What scripts can call.
///
/// # Panics
/// Never: it describes what is compiled in, and every test run does it.
#[allow(clippy::expect_used)]
pub fn catalog() -> Catalog {
    let mut engine = Engine::new();
    register(&mut engine);
    Catalog::of(&engine, &options()).expect("the description is the language's own") // a test reads it
}
