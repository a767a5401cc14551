//! `http::`, `tls::`, `tcp::`, `dns::`: what answers at an address.

pub(super) mod http;
pub(super) mod reach;

use rhai::plugin::*;
use rhai::{Array, Map};

use crate::error::Error;
use crate::host::Host;
use crate::script::{Fallible, OptionSet, context, fail};

/// The option maps of these namespaces.
pub(super) fn options() -> Vec<OptionSet> {
    vec![OptionSet::of::<http::Ask>(), OptionSet::of::<reach::Speak>(), OptionSet::of::<reach::Reach>()]
}

/// The host that the option `from` names, which is no data as the other options are; without it, this machine.
fn from(call: &NativeCallContext, settings: &mut Map) -> Fallible<Host> {
    let context = context(call);
    match settings.remove("from") {
        None => Ok(context.runtime.block_on(context.connections.local(&context.run))),
        Some(host) => host.try_cast::<Host>().ok_or_else(|| {
            let message = format!("{}(): option `from`: must be a host", call.fn_name());
            fail(call, Error::script(message).help("one that ssh::connect() or local() returns"))
        }),
    }
}

fn list<T: serde::Serialize>(found: Vec<T>) -> Fallible<Array> {
    found.into_iter().map(rhai::serde::to_dynamic).collect()
}
