//! Calls a closure for many items at once.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, Map, NativeCallContext};

use super::Fallible;
use super::errors::fail;
use crate::error::Error;
use crate::host::Host;

/// Stack of a worker. A call level of a script takes up to 80 KB in a debug build, and 128 levels are allowed.
const STACK: usize = 16 << 20;

thread_local! {
    /// The name of the item that this thread works on.
    static ITEM: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The name of the item of `parallel` that the current thread works on: what a script says then is said about it.
pub fn current_item() -> Option<String> {
    ITEM.with_borrow(Clone::clone)
}

/// What to call an item: a host by its name, a map by its `name`, a text by itself.
fn name_of(item: &Dynamic) -> Option<String> {
    if let Some(host) = item.clone().try_cast::<Host>() {
        return Some(host.name().to_owned());
    }
    if let Some(map) = item.clone().try_cast::<Map>() {
        return map.get("name")?.clone().into_string().ok();
    }
    item.clone().into_string().ok().filter(|text| !text.contains('\n'))
}

/// Calls `call` with each item, at most `limit` at a time, and returns the results in the order of the items.
///
/// Every worker has copies of the variables that the closure captured: what it assigns to them is lost. Results come
/// back only as return values.
///
/// # Errors
/// All items are finished first. One failure is raised as it is; several are raised as one error that names them all.
pub fn parallel(context: &NativeCallContext, items: Array, call: &FnPtr, limit: usize) -> Fallible<Array> {
    let items: Vec<Dynamic> = items.into_iter().map(Dynamic::flatten).collect();
    let next = AtomicUsize::new(0);
    let outer = current_item();
    let slots: Vec<Mutex<Option<Fallible<Dynamic>>>> = items.iter().map(|_| Mutex::default()).collect();
    let work = |call: FnPtr| {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let (Some(item), Some(slot)) = (items.get(index), slots.get(index)) else { break };
            ITEM.set(name_of(item).or_else(|| outer.clone()));
            let result = catch_unwind(AssertUnwindSafe(|| call.call_within_context(context, (item.clone(),))))
                .unwrap_or_else(|_| Err("a worker of parallel() panicked".into()));
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        }
    };
    thread::scope(|scope| {
        for number in 0..limit.clamp(1, items.len().max(1)) {
            let (work, call) = (&work, isolated(call));
            let builder = thread::Builder::new().name(format!("parallel-{number}")).stack_size(STACK);
            if let Err(error) = builder.spawn_scoped(scope, move || work(call)) {
                return Err(fail(context, Error::script(format!("can't start a thread: {error}"))));
            }
        }
        Ok(())
    })?;
    let (mut values, mut errors) = (Array::new(), Vec::new());
    for slot in slots {
        match slot.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(Ok(value)) => values.push(value),
            Some(Err(error)) => errors.push(error),
            None => errors.push("a worker of parallel() ended early".into()),
        }
    }
    if let Some(index) = errors.iter().position(|error| !error.is_catchable()) {
        return Err(errors.swap_remove(index));
    }
    match errors.len() {
        0 => Ok(values),
        1 => Err(errors.swap_remove(0)),
        _ => Err(combined(context, &errors)),
    }
}

/// One error for several: the worst kind, and what each said.
fn combined(context: &NativeCallContext, errors: &[Box<EvalAltResult>]) -> Box<EvalAltResult> {
    let failures: Vec<_> = errors.iter().map(|error| super::failure_of(error)).collect();
    let kind = failures.iter().map(|failure| failure.error.kind).max_by_key(|kind| kind.exit_status());
    let lines: Vec<String> = failures
        .iter()
        .map(|failure| {
            let help = failure.error.help.as_ref().map(|help| format!("\n  {help}")).unwrap_or_default();
            let output = failure.error.output.as_ref().map(|text| format!("\n  {}", text.replace('\n', "\n  ")));
            format!("{}{}{help}", failure.error, output.unwrap_or_default())
        })
        .collect();
    let message = format!("{} failures:\n{}", lines.len(), lines.join("\n"));
    fail(context, Error::new(kind.unwrap_or(crate::error::Kind::Script), message))
}

/// A closure whose captured variables are copies: nothing that threads could race for is shared.
fn isolated(call: &FnPtr) -> FnPtr {
    let mut call = call.clone();
    for captured in call.iter_curry_mut() {
        *captured = deep_copy(captured);
    }
    call
}

fn deep_copy(value: &Dynamic) -> Dynamic {
    let value = value.flatten_clone();
    if value.is_array() {
        value.cast::<Array>().iter().map(deep_copy).collect::<Array>().into()
    } else if value.is_map() {
        value.cast::<Map>().iter().map(|(key, value)| (key.clone(), deep_copy(value))).collect::<Map>().into()
    } else if value.is_fnptr() {
        Dynamic::from(isolated(&value.cast::<FnPtr>()))
    } else {
        value
    }
}
