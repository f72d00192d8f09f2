//! The colours of series: sixteen hues that colour-blind readers can tell apart.

/// Red, green, blue, 0 to 255.
pub(crate) type Rgb = (u8, u8, u8);

/// The colour of a series. What each hue stands for is the caller's language: one hue for one thing in all figures.
///
/// The first eight are Okabe and Ito's, with yellow, which vanishes on white, replaced by wine. The others keep their
/// distance from them, and from each other, for readers with normal, protanopic and deuteranopic sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "their names say it all")]
pub enum Hue {
    Blue,
    Vermilion,
    Green,
    Pink,
    Orange,
    Sky,
    Grey,
    Wine,
    Ultramarine,
    Brown,
    Sand,
    Indigo,
    Forest,
    Lavender,
    Black,
    Silver,
}

impl Hue {
    /// Every hue; [`Grey`](Hue::Grey), [`Black`](Hue::Black) and [`Silver`](Hue::Silver) are neutral.
    pub const ALL: [Hue; 16] = [
        Hue::Blue,
        Hue::Vermilion,
        Hue::Green,
        Hue::Pink,
        Hue::Orange,
        Hue::Sky,
        Hue::Grey,
        Hue::Wine,
        Hue::Ultramarine,
        Hue::Brown,
        Hue::Sand,
        Hue::Indigo,
        Hue::Forest,
        Hue::Lavender,
        Hue::Black,
        Hue::Silver,
    ];

    /// Red, green and blue, 0 to 255: exactly what an opaque line or bar of this hue is drawn in.
    pub const fn rgb(self) -> (u8, u8, u8) {
        match self {
            Hue::Blue => (0, 114, 178),
            Hue::Vermilion => (213, 94, 0),
            Hue::Green => (0, 158, 115),
            Hue::Pink => (204, 121, 167),
            Hue::Orange => (230, 159, 0),
            Hue::Sky => (86, 180, 233),
            Hue::Grey => (114, 114, 114),
            Hue::Wine => (136, 34, 85),
            Hue::Ultramarine => (40, 40, 220),
            Hue::Brown => (85, 40, 0),
            Hue::Sand => (205, 190, 110),
            Hue::Indigo => (51, 34, 136),
            Hue::Forest => (17, 119, 51),
            Hue::Lavender => (120, 120, 230),
            Hue::Black => (25, 25, 25),
            Hue::Silver => (182, 182, 182),
        }
    }
}

/// The hue at a place in [`Hue::ALL`], beginning again after the last.
impl From<usize> for Hue {
    fn from(index: usize) -> Self {
        Self::ALL[index % Self::ALL.len()]
    }
}

/// The colour of a hue given by name or by its place in [`Hue::ALL`].
pub fn palette(hue: impl Into<Hue>) -> (u8, u8, u8) {
    hue.into().rgb()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Matrix = [[f64; 3]; 3];

    /// What a colour looks like in linear RGB: to most, without L cones, without M cones (Machado, Oliveira and
    /// Fernandes, 2009, severity 1).
    const SIGHTS: [Matrix; 3] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    ];

    fn times(matrix: &Matrix, vector: [f64; 3]) -> [f64; 3] {
        matrix.map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum())
    }

    /// CIE L*a*b* under D65.
    fn lab(hue: Hue, sight: &Matrix) -> [f64; 3] {
        const TO_XYZ: Matrix = [
            [0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883],
        ];
        let (r, g, b) = hue.rgb();
        let linear = [r, g, b]
            .map(f64::from)
            .map(|channel| channel / 255.0)
            .map(|channel| if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) });
        let seen = times(sight, linear).map(|channel| channel.clamp(0.0, 1.0));
        let [x, y, z] = times(&TO_XYZ, seen)
            .map(|t| if t > 216.0 / 24389.0 { t.cbrt() } else { (24389.0 / 27.0 * t + 16.0) / 116.0 });
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    #[test]
    fn every_two_hues_can_be_told_apart_with_every_sight() {
        for (index, &one) in Hue::ALL.iter().enumerate() {
            for &other in &Hue::ALL[..index] {
                for sight in &SIGHTS {
                    let pairs = lab(one, sight).into_iter().zip(lab(other, sight));
                    let distance = pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                    // Two colours side by side look different from a distance of about 2.3 on.
                    assert!(distance > 9.0, "{one:?} and {other:?}: {distance}");
                }
            }
        }
    }

    #[test]
    fn every_hue_shows_on_white_and_indices_begin_again() {
        for (index, &hue) in Hue::ALL.iter().enumerate() {
            assert!(lab(hue, &SIGHTS[0])[0] < 80.0, "{hue:?}");
            assert_eq!((Hue::from(index), Hue::from(index + 16)), (hue, hue));
        }
    }
}
