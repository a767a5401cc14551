//! From the script's thread into the async world and back.

use std::future::Future;

use rhai::NativeCallContext;

use super::{Context, Fallible, errors::fail};
use crate::error::Result;

/// Waits for async work on behalf of a script function; gives up as soon as the run is cancelled.
///
/// # Errors
/// The work's error at the position of the call, or the termination of the script.
pub fn block<T>(call: &NativeCallContext, context: &Context, work: impl Future<Output = Result<T>>) -> Fallible<T> {
    context.runtime.block_on(async { context.run.until_cancelled(work).await }).map_err(|error| fail(call, error))
}
