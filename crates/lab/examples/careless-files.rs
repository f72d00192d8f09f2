//! A file system that does not keep its promises, for a test: preloaded into a program (`LD_PRELOAD`), it makes `rename` what
//! `CARELESS` says: `two-steps` (the old file goes before the new one comes), `late` (nothing happens, as seen through stale
//! metadata); or lets a name be `made-twice`.
#![cfg(target_os = "linux")]

use std::ffi::{CStr, c_char, c_int, c_void};

unsafe extern "C" {
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn unlink(path: *const c_char) -> c_int;
}

const NEXT_LIBRARY: *mut c_void = -1_isize as *mut c_void;

fn is_careless(how: &str) -> bool {
    std::env::var("CARELESS").is_ok_and(|careless| careless == how)
}

/// As the system's, but for what `CARELESS` says.
///
/// # Safety
/// The pointers must be to C strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    const NAME: &CStr = c"rename";
    if is_careless("late") {
        return 0;
    }
    // SAFETY: the caller's pointers; the C library has a function of this name and type.
    unsafe {
        if is_careless("two-steps") {
            unlink(to);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let next: unsafe extern "C" fn(*const c_char, *const c_char) -> c_int =
            std::mem::transmute(dlsym(NEXT_LIBRARY, NAME.as_ptr()));
        next(from, to)
    }
}

/// As the system's, but for what `CARELESS` says.
///
/// # Safety
/// The pointer must be to a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: u32) -> c_int {
    const NAME: &CStr = c"open64";
    const EXCLUSIVE: c_int = 0o200;
    let flags = if is_careless("made-twice") { flags & !EXCLUSIVE } else { flags };
    // SAFETY: the caller's pointer; the C library has a function of this name, which takes the mode where it is needed.
    unsafe {
        let next: unsafe extern "C" fn(*const c_char, c_int, ...) -> c_int =
            std::mem::transmute(dlsym(NEXT_LIBRARY, NAME.as_ptr()));
        next(path, flags, mode)
    }
}
