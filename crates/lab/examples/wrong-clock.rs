//! A clock that is far off, for a test: preloaded into a program (`LD_PRELOAD`), it makes `CLOCK_SECONDS` the time since 1970.
#![cfg(target_os = "linux")]

use std::ffi::{CStr, c_char, c_int, c_long, c_void};

/// `struct timespec`.
#[repr(C)]
pub struct Time {
    seconds: i64,
    nanoseconds: c_long,
}

unsafe extern "C" {
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// As the system's, but for the wall clock.
///
/// # Safety
/// `time` must point to a `struct timespec`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut Time) -> c_int {
    const WALL: c_int = 0;
    const NEXT_LIBRARY: *mut c_void = -1_isize as *mut c_void;
    const NAME: &CStr = c"clock_gettime";
    match std::env::var("CLOCK_SECONDS").ok().and_then(|seconds| seconds.parse().ok()) {
        Some(seconds) if clock == WALL => {
            // SAFETY: the caller's pointer.
            unsafe { time.write(Time { seconds, nanoseconds: 0 }) };
            0
        }
        _ => {
            // SAFETY: the C library has a function of this name and type.
            unsafe {
                let next: unsafe extern "C" fn(c_int, *mut Time) -> c_int =
                    std::mem::transmute(dlsym(NEXT_LIBRARY, NAME.as_ptr()));
                next(clock, time)
            }
        }
    }
}
