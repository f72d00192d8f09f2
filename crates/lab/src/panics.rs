//! Panics in an experiment's code become errors, so that one bad trial does not take the others with it.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use anyhow::anyhow;

thread_local! {
    /// `Some` while [`catching`] runs on this thread; then where the last panic happened.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Routes panics of this process into the log, except those that [`catching`] turns into errors.
pub(crate) fn install() {
    panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let caught = PLACE.with_borrow_mut(|place| match (place, info.location()) {
            (Some(place), Some(location)) => {
                *place = format!(" at {location}");
                true
            }
            _ => false,
        });
        if !caught {
            tracing::error!("{info}");
        }
    }));
}

/// Runs `work`; a panic in it becomes an error. What `work` touches must not be used after a panic.
pub(crate) fn catching<R>(work: impl FnOnce() -> R) -> Result<R, anyhow::Error> {
    // Nested in another, it gives way to that again.
    let outer = PLACE.replace(Some(String::new()));
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    let place = PLACE.replace(outer).unwrap_or_default();
    result.map_err(|panic| anyhow!("panicked{place}: {}", message(panic.as_ref())))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        let width = 3;
        let error = catching(|| assert!(width > 3, "width {width}")).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("panicked") && text.ends_with(": width 3"), "{text}");
        assert_eq!(catching(|| 7).unwrap(), 7);
    }

    #[test]
    fn a_panic_after_a_caught_one_is_caught_with_its_place() {
        install();
        let twice: Result<(), _> = catching(|| {
            catching(|| panic!("inner")).unwrap_err();
            panic!("outer")
        });
        let text = twice.unwrap_err().to_string();
        assert!(text.starts_with("panicked at ") && text.ends_with(": outer"), "{text}");
    }
}
