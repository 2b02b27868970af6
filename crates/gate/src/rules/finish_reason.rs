//! The reply ended of itself: `STOP`, in either spelling.

use dataset::row::is_stop;

use super::Failure;
use crate::context::ArmContext;
use crate::excerpt;
use crate::view::Subject;

/// See the module.
pub fn check(_: &ArmContext<'_>, subject: &Subject<'_>) -> Option<Failure> {
    let reason = &*subject.row.meta.finish_reason;
    if is_stop(reason) {
        return None;
    }
    let reason = excerpt::start(reason);
    let end = subject.text.len().saturating_sub(60);
    Failure::new(format!("the reply ended with `{reason}`, not STOP"), excerpt::around(subject.text, end))
}
