//! Resources: the desired state of a host as values, and `ensure`, which makes it so.

mod ensure;
mod files;
mod identity;
mod system;

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext, exported_module};

use crate::error::Error;
use crate::resource::{Changes, Resource};
use crate::script::{Fallible, OptionSet, fail};

/// Registers everything.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Resource>("Resource").register_type_with_name::<Changes>("Changes");
    engine.register_global_module(exported_module!(ensure::api).into());
    engine.register_global_module(exported_module!(files::api).into());
    engine.register_global_module(exported_module!(identity::api).into());
    engine.register_global_module(exported_module!(system::api).into());
}

/// The option maps of resources.
pub(super) fn options() -> Vec<OptionSet> {
    vec![
        OptionSet::of::<files::FileOptions>(),
        OptionSet::of::<files::WriteOptions>(),
        OptionSet::of::<files::UploadOptions>(),
        OptionSet::of::<ensure::SyncOptions>(),
        OptionSet::of::<files::DirectoryOptions>(),
        OptionSet::of::<files::LineOptions>(),
        OptionSet::of::<files::BlockOptions>(),
        OptionSet::of::<identity::UserOptions>(),
        OptionSet::of::<system::MountOptions>(),
        OptionSet::of::<system::PackageOptions>(),
        OptionSet::of::<system::ServiceOptions>(),
        OptionSet::of::<system::CommandOptions>(),
    ]
}

/// Takes the list `key` out of the options: of texts or of a type that scripts have values of.
fn take_list<T>(
    call: &NativeCallContext,
    settings: &mut Map,
    key: &str,
    what: &str,
    convert: impl Fn(Dynamic) -> Result<T, Dynamic>,
) -> Fallible<Vec<T>> {
    let list = match settings.remove(key) {
        None => return Ok(Vec::new()),
        Some(value) if value.is_array() => value.cast::<Array>(),
        Some(value) => return Err(wrong_item(call, key, what, &value)),
    };
    list.into_iter().map(|item| convert(item).map_err(|item| wrong_item(call, key, what, &item))).collect()
}

fn wrong_item(call: &NativeCallContext, key: &str, what: &str, item: &Dynamic) -> Box<rhai::EvalAltResult> {
    let message = format!("{}(): option `{key}` is a list of {what}, not {}", call.fn_name(), item.type_name());
    fail(call, Error::script(message))
}
