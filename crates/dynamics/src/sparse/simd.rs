//! The few vector operations the kernels need, for AVX-512, AVX2 with FMA, and plain Rust, chosen at run time.

use std::fmt;
use std::sync::OnceLock;

/// An instruction set the kernels are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Simd {
    /// 512-bit vectors: eight `f64`.
    Avx512,
    /// 256-bit vectors with fused multiply-add: four `f64`.
    Avx2,
    /// Plain Rust, four `f64` at a time; what the compiler makes of it.
    Portable,
}

impl fmt::Display for Simd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avx512 => "AVX-512",
            Self::Avx2 => "AVX2",
            Self::Portable => "portable vectors",
        })
    }
}

impl Simd {
    /// Whether this machine has the instruction set.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
            Self::Portable => true,
        }
    }

    /// The instruction sets of this machine, best first.
    pub fn available() -> impl Iterator<Item = Self> {
        [Self::Avx512, Self::Avx2, Self::Portable].into_iter().filter(|simd| simd.is_available())
    }

    /// The best instruction set of this machine (detected once).
    pub fn best() -> Self {
        static BEST: OnceLock<Simd> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().next().unwrap_or(Self::Portable))
    }

    /// Most vectors of one column that a kernel keeps in registers, beside what else it needs there. (AVX-512 has registers for 16, but
    /// a tile of such long columns has few entries in a row.)
    pub(super) fn most_vectors(self) -> usize {
        match self {
            Self::Avx512 | Self::Avx2 => 8,
            Self::Portable => 4,
        }
    }

    /// Bytes of a factor that a tile of the kernels keeps at hand, in a first cache of 32 KiB (or 48 with AVX-512, where 32 are a
    /// little faster than 24 even for two threads that share it).
    pub(super) fn tile_bytes(self) -> usize {
        match self {
            Self::Avx512 => 32 << 10,
            Self::Avx2 | Self::Portable => 24 << 10,
        }
    }

    /// Number of `f64` in a vector.
    pub(super) fn lanes(self) -> usize {
        match self {
            Self::Avx512 => 8,
            Self::Avx2 | Self::Portable => 4,
        }
    }
}

/// A vector of `N` doubles and what the kernels do with it. The kernels treat `N` entries of Ω as one group.
///
/// # Safety
/// Every function may be called only where the instruction set is available, and inlined into a function compiled for
/// it; pointers must be valid for the lanes read or written (no alignment is needed).
pub(super) trait Lanes<const N: usize> {
    type V: Copy;

    unsafe fn splat(value: f64) -> Self::V;
    unsafe fn load(from: *const f64) -> Self::V;
    unsafe fn store(to: *mut f64, value: Self::V);
    /// The first `count` (1..=N) lanes from memory, the others zero; touches no other memory.
    unsafe fn load_first(from: *const f64, count: usize) -> Self::V;
    /// Writes the first `count` (1..=N) lanes; touches no other memory.
    unsafe fn store_first(to: *mut f64, count: usize, value: Self::V);
    /// The first `count` lanes of `value`, the others zero.
    unsafe fn keep_first(count: usize, value: Self::V) -> Self::V;
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `a b + c`
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Asks for the cache line at `at` ahead of its use, where the machine can be asked.
    unsafe fn prefetch(_at: *const f64) {}
    /// The same pointer, but the compiler does not know: what was read through it is read again instead of being kept, where
    /// registers are too few to keep it (they would go to the stack and come back).
    #[inline(always)]
    unsafe fn again(from: *const f64) -> *const f64 {
        from
    }
    /// Lane `l` of the result is the sum of the lanes of `vectors[l]`: N horizontal sums for the price of a transposition.
    unsafe fn sum_each(vectors: [Self::V; N]) -> Self::V;

    /// The lanes as an array.
    #[inline(always)]
    unsafe fn to_array(value: Self::V) -> [f64; N] {
        let mut array = [0.0; N];
        // SAFETY: the array holds N doubles.
        unsafe { Self::store(array.as_mut_ptr(), value) };
        array
    }
}

/// Compiles a kernel for every instruction set: `compiled!(sample as a, b, c: <V: usize>(task: &Task) -> f64)` makes the functions
/// `a` (AVX-512), `b` (AVX2) and `c` (portable), each of which is `sample::<S, N, V>`.
macro_rules! compiled {
    ($kernel:ident as $avx512:ident, $avx2:ident, $portable:ident:
     <$($constant:ident: $type:ty),*>($task:ident: $of:ty) $(-> $out:ty)?) => {
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx2,fma")]
        unsafe fn $avx512<$(const $constant: $type),*>($task: $of) $(-> $out)? {
            // SAFETY: passed on to the caller.
            unsafe { $kernel::<$crate::sparse::simd::Avx512, 8, $($constant),*>($task) }
        }

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn $avx2<$(const $constant: $type),*>($task: $of) $(-> $out)? {
            // SAFETY: passed on to the caller.
            unsafe { $kernel::<$crate::sparse::simd::Avx2, 4, $($constant),*>($task) }
        }

        unsafe fn $portable<$(const $constant: $type),*>($task: $of) $(-> $out)? {
            // SAFETY: passed on to the caller.
            unsafe { $kernel::<$crate::sparse::simd::Portable, 4, $($constant),*>($task) }
        }
    };
}
pub(super) use compiled;

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

/// The intrinsics here only do arithmetic on their operands or access memory as the trait's contract allows.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    use core::arch::x86_64::*;

    /// The same pointer; the compiler does not know.
    #[inline(always)]
    #[expect(clippy::pointers_in_nomem_asm_block, reason = "only the pointer passes through, nothing is read")]
    fn opaque(from: *const f64) -> *const f64 {
        let mut from = from;
        // SAFETY: no instruction.
        unsafe { core::arch::asm!("/* {0} */", inout(reg) from, options(pure, nomem, nostack, preserves_flags)) };
        from
    }

    /// Methods that are one intrinsic each.
    macro_rules! intrinsics {
        ($($name:ident($($operand:ident: $type:ty),*) -> $out:ty = $intrinsic:expr;)*) => {
            $(#[inline(always)]
            unsafe fn $name($($operand: $type),*) -> $out {
                // SAFETY: the caller vouches for the instruction set, and for the lanes behind a pointer.
                unsafe { $intrinsic }
            })*
        };
    }

    pub(in super::super) struct Avx512;

    #[inline(always)]
    fn first(count: usize) -> __mmask8 {
        ((1u32 << count) - 1) as __mmask8
    }

    /// Sums of neighbouring lanes: a, b, a, b, …
    #[inline(always)]
    unsafe fn pairs(a: __m512d, b: __m512d) -> __m512d {
        // SAFETY: the caller vouches for the instruction set.
        unsafe { _mm512_add_pd(_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b)) }
    }

    /// Sums of neighbouring pairs: of two results of [`pairs`], four sums in each half.
    ///
    /// A blend takes what is in place already, so that only the other operand needs a (dearer) permutation.
    #[inline(always)]
    unsafe fn fours(ab: __m512d, cd: __m512d) -> __m512d {
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            let swapped = _mm512_setr_epi64(2, 3, 8, 9, 6, 7, 12, 13);
            _mm512_add_pd(_mm512_mask_blend_pd(0b11001100, ab, cd), _mm512_permutex2var_pd(ab, swapped, cd))
        }
    }

    impl Lanes<8> for Avx512 {
        type V = __m512d;

        intrinsics! {
            splat(value: f64) -> __m512d = _mm512_set1_pd(value);
            load(from: *const f64) -> __m512d = _mm512_loadu_pd(from);
            store(to: *mut f64, value: __m512d) -> () = _mm512_storeu_pd(to, value);
            load_first(from: *const f64, count: usize) -> __m512d = _mm512_maskz_loadu_pd(first(count), from);
            store_first(to: *mut f64, count: usize, value: __m512d) -> () = _mm512_mask_storeu_pd(to, first(count), value);
            keep_first(count: usize, value: __m512d) -> __m512d = _mm512_maskz_mov_pd(first(count), value);
            add(a: __m512d, b: __m512d) -> __m512d = _mm512_add_pd(a, b);
            sub(a: __m512d, b: __m512d) -> __m512d = _mm512_sub_pd(a, b);
            mul(a: __m512d, b: __m512d) -> __m512d = _mm512_mul_pd(a, b);
            mul_add(a: __m512d, b: __m512d, c: __m512d) -> __m512d = _mm512_fmadd_pd(a, b, c);
            prefetch(at: *const f64) -> () = _mm_prefetch::<_MM_HINT_T0>(at.cast());
        }

        #[inline(always)]
        unsafe fn again(from: *const f64) -> *const f64 {
            opaque(from)
        }
        #[inline(always)]
        unsafe fn sum_each(v: [__m512d; 8]) -> __m512d {
            // SAFETY: the caller vouches for the instruction set.
            unsafe {
                let a = fours(pairs(v[0], v[1]), pairs(v[2], v[3]));
                let b = fours(pairs(v[4], v[5]), pairs(v[6], v[7]));
                _mm512_add_pd(_mm512_shuffle_f64x2::<0b01_00_01_00>(a, b), _mm512_shuffle_f64x2::<0b11_10_11_10>(a, b))
            }
        }
    }

    pub(in super::super) struct Avx2;

    /// A window of this table that starts at `4 - count` selects the first `count` lanes.
    static FIRST: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

    #[inline(always)]
    unsafe fn first4(count: usize) -> __m256i {
        debug_assert!(count <= 4);
        // SAFETY: the caller vouches for the instruction set.
        unsafe { _mm256_loadu_si256(FIRST.as_ptr().add(4 - count).cast()) }
    }

    /// Sums of neighbouring lanes: a, b, a, b. Two shuffles and a sum are cheaper than a horizontal sum's three operations.
    #[inline(always)]
    unsafe fn pairs4(a: __m256d, b: __m256d) -> __m256d {
        // SAFETY: the caller vouches for the instruction set.
        unsafe { _mm256_add_pd(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b)) }
    }

    impl Lanes<4> for Avx2 {
        type V = __m256d;

        intrinsics! {
            splat(value: f64) -> __m256d = _mm256_set1_pd(value);
            load(from: *const f64) -> __m256d = _mm256_loadu_pd(from);
            store(to: *mut f64, value: __m256d) -> () = _mm256_storeu_pd(to, value);
            load_first(from: *const f64, count: usize) -> __m256d = _mm256_maskload_pd(from, first4(count));
            keep_first(count: usize, value: __m256d) -> __m256d = _mm256_and_pd(_mm256_castsi256_pd(first4(count)), value);
            add(a: __m256d, b: __m256d) -> __m256d = _mm256_add_pd(a, b);
            sub(a: __m256d, b: __m256d) -> __m256d = _mm256_sub_pd(a, b);
            mul(a: __m256d, b: __m256d) -> __m256d = _mm256_mul_pd(a, b);
            mul_add(a: __m256d, b: __m256d, c: __m256d) -> __m256d = _mm256_fmadd_pd(a, b, c);
            prefetch(at: *const f64) -> () = _mm_prefetch::<_MM_HINT_T0>(at.cast());
        }

        #[inline(always)]
        unsafe fn store_first(to: *mut f64, count: usize, value: __m256d) {
            // A masked store costs some AMD processors twenty times a whole one.
            // SAFETY: the caller vouches for the instruction set.
            unsafe {
                match count {
                    4 => _mm256_storeu_pd(to, value),
                    1 => _mm_store_sd(to, _mm256_castpd256_pd128(value)),
                    _ => {
                        _mm_storeu_pd(to, _mm256_castpd256_pd128(value));
                        if count == 3 {
                            _mm_store_sd(to.add(2), _mm256_extractf128_pd::<1>(value));
                        }
                    }
                }
            }
        }

        #[inline(always)]
        unsafe fn again(from: *const f64) -> *const f64 {
            opaque(from)
        }
        #[inline(always)]
        unsafe fn sum_each(v: [__m256d; 4]) -> __m256d {
            // SAFETY: the caller vouches for the instruction set.
            unsafe {
                let ab = pairs4(v[0], v[1]);
                let cd = pairs4(v[2], v[3]);
                _mm256_add_pd(_mm256_blend_pd::<0b1100>(ab, cd), _mm256_permute2f128_pd::<0x21>(ab, cd))
            }
        }
    }
}

/// Plain Rust; multiplies and adds separately, because a fused operation without hardware is a function call.
pub(super) struct Portable;

impl Lanes<4> for Portable {
    type V = [f64; 4];

    #[inline(always)]
    unsafe fn splat(value: f64) -> [f64; 4] {
        [value; 4]
    }
    #[inline(always)]
    unsafe fn load(from: *const f64) -> [f64; 4] {
        // SAFETY: the caller vouches for the lanes behind the pointer.
        unsafe { from.cast::<[f64; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f64, value: [f64; 4]) {
        // SAFETY: the caller vouches for the lanes behind the pointer.
        unsafe { to.cast::<[f64; 4]>().write_unaligned(value) }
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f64, count: usize) -> [f64; 4] {
        if count == 4 {
            // SAFETY: all lanes are asked for.
            return unsafe { Self::load(from) };
        }
        let mut value = [0.0; 4];
        for lane in 0..count {
            // SAFETY: the caller vouches for the first `count` lanes.
            value[lane] = unsafe { *from.add(lane) };
        }
        value
    }
    #[inline(always)]
    unsafe fn store_first(to: *mut f64, count: usize, value: [f64; 4]) {
        for lane in 0..count {
            // SAFETY: the caller vouches for the first `count` lanes.
            unsafe { *to.add(lane) = value[lane] };
        }
    }
    #[inline(always)]
    unsafe fn keep_first(count: usize, value: [f64; 4]) -> [f64; 4] {
        core::array::from_fn(|l| if l < count { value[l] } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn add(a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
        core::array::from_fn(|l| a[l] + b[l])
    }
    #[inline(always)]
    unsafe fn sub(a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
        core::array::from_fn(|l| a[l] - b[l])
    }
    #[inline(always)]
    unsafe fn mul(a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
        core::array::from_fn(|l| a[l] * b[l])
    }
    #[inline(always)]
    unsafe fn mul_add(a: [f64; 4], b: [f64; 4], c: [f64; 4]) -> [f64; 4] {
        core::array::from_fn(|l| a[l] * b[l] + c[l])
    }
    #[inline(always)]
    unsafe fn sum_each(v: [[f64; 4]; 4]) -> [f64; 4] {
        core::array::from_fn(|l| (v[l][0] + v[l][1]) + (v[l][2] + v[l][3]))
    }
}
