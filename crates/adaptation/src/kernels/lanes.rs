//! Vectors of a number type for whatever instruction set the machine has: the few operations the kernels need.

use pulp::{MemMask, Simd};

/// A number type with vectors.
pub trait Lanes: Copy + Send + Sync + 'static {
    /// A vector.
    type Vector<S: Simd>: Copy;
    /// Which lanes of a vector are meant.
    type Mask<S: Simd>: Copy;

    /// Numbers in a vector.
    fn lanes<S: Simd>() -> usize;
    /// The same number in every lane.
    fn splat<S: Simd>(simd: S, x: Self) -> Self::Vector<S>;
    /// `a b + c`, in one instruction where there is one.
    fn mul_add<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>, c: Self::Vector<S>) -> Self::Vector<S>;
    /// The sum of the lanes.
    fn sum<S: Simd>(simd: S, x: Self::Vector<S>) -> Self;
    /// The first `count` lanes.
    fn first<S: Simd>(simd: S, count: usize) -> MemMask<Self::Mask<S>>;

    /// Reads a vector.
    ///
    /// # Safety
    /// All lanes must be readable.
    unsafe fn load<S: Simd>(simd: S, from: *const Self) -> Self::Vector<S>;
    /// Writes a vector.
    ///
    /// # Safety
    /// All lanes must be writable.
    unsafe fn store<S: Simd>(simd: S, to: *mut Self, x: Self::Vector<S>);
    /// Reads the lanes that are meant; the others are 0.
    ///
    /// # Safety
    /// The lanes that are meant must be readable.
    unsafe fn load_some<S: Simd>(simd: S, mask: MemMask<Self::Mask<S>>, from: *const Self) -> Self::Vector<S>;
    /// Writes the lanes that are meant.
    ///
    /// # Safety
    /// The lanes that are meant must be writable.
    unsafe fn store_some<S: Simd>(simd: S, mask: MemMask<Self::Mask<S>>, to: *mut Self, x: Self::Vector<S>);
}

macro_rules! lanes {
    ($number:ty, $unsigned:ty, $vector:ident, $mask:ident,
     $splat:ident, $mul_add:ident, $sum:ident, $between:ident, $load:ident, $store:ident) => {
        impl Lanes for $number {
            type Vector<S: Simd> = S::$vector;
            type Mask<S: Simd> = S::$mask;

            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                size_of::<S::$vector>() / size_of::<Self>()
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, x: Self) -> S::$vector {
                simd.$splat(x)
            }

            #[inline(always)]
            fn mul_add<S: Simd>(simd: S, a: S::$vector, b: S::$vector, c: S::$vector) -> S::$vector {
                simd.$mul_add(a, b, c)
            }

            #[inline(always)]
            fn sum<S: Simd>(simd: S, x: S::$vector) -> Self {
                simd.$sum(x)
            }

            #[inline(always)]
            fn first<S: Simd>(simd: S, count: usize) -> MemMask<S::$mask> {
                simd.$between(0, count as $unsigned)
            }

            #[inline(always)]
            unsafe fn load<S: Simd>(_: S, from: *const Self) -> S::$vector {
                // SAFETY: the caller's promise: all lanes are readable.
                unsafe { from.cast::<S::$vector>().read_unaligned() }
            }

            #[inline(always)]
            unsafe fn store<S: Simd>(_: S, to: *mut Self, x: S::$vector) {
                // SAFETY: the caller's promise: all lanes are writable.
                unsafe { to.cast::<S::$vector>().write_unaligned(x) }
            }

            #[inline(always)]
            unsafe fn load_some<S: Simd>(simd: S, mask: MemMask<S::$mask>, from: *const Self) -> S::$vector {
                // SAFETY: the caller's promise: the lanes of the mask are readable.
                unsafe { simd.$load(mask, from) }
            }

            #[inline(always)]
            unsafe fn store_some<S: Simd>(simd: S, mask: MemMask<S::$mask>, to: *mut Self, x: S::$vector) {
                // SAFETY: the caller's promise: the lanes of the mask are writable.
                unsafe { simd.$store(mask, to, x) }
            }
        }
    };
}

/// Declares functions whose bodies are compiled once for every instruction set, of which the machine's best is chosen at run
/// time. Everything they call must be `#[inline(always)]`. (A closure given to `pulp` will not do: where it is not inlined, it
/// is compiled for the oldest machines.)
macro_rules! vector_code {
    ($($(#[$attribute:meta])* fn $name:ident<'a, T>($($argument:ident: $type:ty),* $(,)?) $body:block)*) => {$(
        $(#[$attribute])*
        pub(crate) fn $name<'a, T: $crate::Real>($($argument: $type),*) {
            struct Arguments<'a, T: $crate::Real> {
                $($argument: $type,)*
                lifetime: std::marker::PhantomData<&'a T>,
            }
            impl<'a, T: $crate::Real> pulp::WithSimd for Arguments<'a, T> {
                type Output = ();

                #[inline(always)]
                fn with_simd<S: pulp::Simd>(self, _: S) {
                    let Self { $($argument,)* .. } = self;
                    $body
                }
            }
            pulp::Arch::new().dispatch(Arguments { $($argument,)* lifetime: std::marker::PhantomData });
        }
    )*};
}
pub(crate) use vector_code;

lanes!(
    f32,
    u32,
    f32s,
    m32s,
    splat_f32s,
    mul_add_e_f32s,
    reduce_sum_f32s,
    mask_between_m32s,
    mask_load_ptr_f32s,
    mask_store_ptr_f32s
);
lanes!(
    f64,
    u64,
    f64s,
    m64s,
    splat_f64s,
    mul_add_e_f64s,
    reduce_sum_f64s,
    mask_between_m64s,
    mask_load_ptr_f64s,
    mask_store_ptr_f64s
);
