//! The number types of GGUF's tensors that are read: blocks of 32 numbers with a scale, as
//! [ggml](https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c) has them.

use half::f16;

/// Numbers in a block.
const BLOCK: usize = 32;

/// Types that are not read, by the numbers that ggml gives them.
const OTHERS: &[(u32, &str)] = &[
    (2, "Q4_0"),
    (6, "Q5_0"),
    (7, "Q5_1"),
    (9, "Q8_1"),
    (10, "Q2_K"),
    (11, "Q3_K"),
    (12, "Q4_K"),
    (13, "Q5_K"),
    (14, "Q6_K"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (30, "BF16"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
];

/// A number type that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// `d q` with d of half precision, q of 8 bits with a sign.
    Q8_0,
    /// `d q + m` with d, m of half precision, q of 4 bits without a sign; a byte holds `q_i` (low) and `q_{i + 16}` (high).
    Q4_1,
}

impl Kind {
    /// The type of this number, or else the name of what it is.
    pub(super) fn of(number: u32) -> Result<Self, &'static str> {
        match number {
            0 => Ok(Self::F32),
            1 => Ok(Self::F16),
            3 => Ok(Self::Q4_1),
            8 => Ok(Self::Q8_0),
            _ => Err(OTHERS.iter().find(|(other, _)| *other == number).map_or("unknown", |(_, name)| name)),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Q8_0 => "Q8_0",
            Self::Q4_1 => "Q4_1",
        }
    }

    /// Numbers in a block, and its bytes.
    fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 => (1, 2),
            Self::Q8_0 => (BLOCK, 2 + BLOCK),
            Self::Q4_1 => (BLOCK, 4 + BLOCK / 2),
        }
    }

    /// Bytes of `count` numbers in rows; `None` if a row is not of whole blocks, or there are too many.
    pub(super) fn bytes(self, row: usize, count: usize) -> Option<usize> {
        let (numbers, bytes) = self.block();
        row.is_multiple_of(numbers).then(|| (count / numbers).checked_mul(bytes)).flatten()
    }

    /// The numbers in whole blocks.
    pub(super) fn numbers(self, data: &[u8]) -> Vec<f32> {
        let half = |low: u8, high: u8| f16::from_le_bytes([low, high]).to_f32();
        match self {
            Self::F32 => data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
            Self::F16 => data.as_chunks().0.iter().map(|&[low, high]| half(low, high)).collect(),
            Self::Q8_0 => {
                let block = |block: &[u8; 2 + BLOCK]| {
                    let [low, high, quants @ ..] = *block;
                    quants.map(|q| half(low, high) * f32::from(q.cast_signed()))
                };
                data.as_chunks().0.iter().flat_map(block).collect()
            }
            Self::Q4_1 => {
                let block = |block: &[u8; 4 + BLOCK / 2]| {
                    let [d0, d1, m0, m1, quants @ ..] = *block;
                    let (scale, least) = (half(d0, d1), half(m0, m1));
                    let number = |q: u8| scale * f32::from(q) + least;
                    let (low, high) = (quants.map(|q| number(q & 15)), quants.map(|q| number(q >> 4)));
                    low.into_iter().chain(high)
                };
                data.as_chunks().0.iter().flat_map(block).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_scaled() {
        let scale = f16::from_f32(0.5).to_le_bytes();
        let least = f16::from_f32(-3.0).to_le_bytes();
        let mut block = [scale, least].concat();
        block.extend((0..16).map(|i| i | (15 - i) << 4));
        let numbers = Kind::Q4_1.numbers(&block);
        assert_eq!((numbers[1], numbers[15], numbers[16], numbers[31]), (-2.5, 4.5, 4.5, -3.0));
        let mut block = scale.to_vec();
        block.extend((0..32).map(|i: i8| (i - 16).cast_unsigned()));
        let numbers = Kind::Q8_0.numbers(&block);
        assert_eq!((numbers[0], numbers[16], numbers[31]), (-8.0, 0.0, 7.5));
    }

    #[test]
    fn rows_are_of_whole_blocks() {
        assert_eq!(Kind::Q4_1.bytes(64, 128), Some(80));
        assert_eq!(Kind::Q4_1.bytes(48, 96), None);
        assert_eq!(Kind::of(14), Err("Q6_K"));
    }
}
