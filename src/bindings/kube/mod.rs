//! `kube::`: the cluster's API.

mod connect;
mod node;
mod pods;
mod read;
mod rollout;
mod wait;
mod write;

use rhai::{Engine, exported_module};

use crate::kube::{
    ApplyOptions, DrainOptions, ExecOptions, FollowOptions, ForwardOptions, GetOptions, LogOptions, PatchOptions,
    TableOptions, WaitOptions, WatchOptions,
};
use crate::script::OptionSet;

/// Registers the namespace, and the methods of a connection.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<crate::kube::Kube>("Kube");
    engine.register_type_with_name::<crate::kube::PortForward>("PortForward");
    engine.register_static_module("kube", exported_module!(connect::api).into());
    engine.register_global_module(exported_module!(connect::methods).into());
    engine.register_global_module(exported_module!(read::api).into());
    engine.register_global_module(exported_module!(write::api).into());
    engine.register_global_module(exported_module!(wait::api).into());
    engine.register_global_module(exported_module!(pods::api).into());
    engine.register_global_module(exported_module!(rollout::api).into());
    engine.register_global_module(exported_module!(node::api).into());
}

/// The option maps of this namespace.
pub(super) fn options() -> Vec<OptionSet> {
    vec![
        OptionSet::of::<GetOptions>(),
        OptionSet::of::<ApplyOptions>(),
        OptionSet::of::<PatchOptions>(),
        OptionSet::of::<WaitOptions>(),
        OptionSet::of::<WatchOptions>(),
        OptionSet::of::<TableOptions>(),
        OptionSet::of::<FollowOptions>(),
        OptionSet::of::<ForwardOptions>(),
        OptionSet::of::<DrainOptions>(),
        OptionSet::of::<rollout::Place>(),
        OptionSet::of::<wait::Diagnosis>(),
        OptionSet::of::<LogOptions>(),
        OptionSet::of::<ExecOptions>(),
    ]
}
