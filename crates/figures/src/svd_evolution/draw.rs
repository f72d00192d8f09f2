//! Singular values and vectors over index and iteration: of the first factor, of every factor, of every variant.

use charts::{Axis, Figure, Surface};

use super::Settings;
use super::settings::Variant;
use crate::matrix::{EvolutionRow, by_index};

/// A quantity of a row as a panel shows it.
struct Quantity {
    title: &'static str,
    axis: fn() -> Axis,
    value: fn(&EvolutionRow) -> f64,
}

const QUANTITIES: [Quantity; 3] = [
    Quantity { title: "Singular values", axis: || Axis::linear("σᵢ(t)"), value: |row| row.singular_value },
    Quantity {
        title: "Right singular vectors",
        axis: || Axis::linear("∠(vᵢ(t), vᵢ(1)) in °").include(0.0),
        value: |row| row.right_angle_rad.to_degrees(),
    },
    Quantity {
        title: "Left singular vectors",
        axis: || Axis::linear("∠(uᵢ(t), uᵢ(1)) in °").include(0.0),
        value: |row| row.left_angle_rad.to_degrees(),
    },
];

/// The three figures, with what their names add to the experiment's.
pub(super) fn figures(settings: &Settings, rows: &[EvolutionRow]) -> [(&'static str, Figure); 3] {
    let Variant { name: first, optimizer } = &settings.variants[0];
    let trained = format!("{first}, η = {}", optimizer.step_size);
    let layers = (1..=*settings.depth).map(|layer| (first.as_str(), layer, format!(", layer {layer}")));
    let variants = settings.variants.iter().map(|variant| (variant.name.as_str(), 1, format!(", {}", variant.name)));
    let figure = |title: &str, paper: &str, trained: &str| {
        Figure::new(format!("Evolution of the singular values and vectors of {title}"))
            .subtitle(format!("{paper}; {}", settings.subtitle(trained)))
            .columns(QUANTITIES.len())
    };
    let otherwise = figure("W₁", "not in the paper", "each row trained in another way, with ranges of its own");
    let alone = [(first.as_str(), 1, String::new())];
    let layers: Vec<_> = layers.collect();
    [
        ("", figure("W₁", "Figure 3 of the paper", &trained).panels(panels(rows, &alone))),
        ("-layers", figure("every layer", "not in the paper", &trained).panels(panels(rows, &layers))),
        ("-variants", variants.fold(otherwise, |figure, variant| figure.panels(panels(rows, &[variant])))),
    ]
}

/// A row of panels for each variant and layer, from the first trial; a quantity has one range in all of them.
fn panels(rows: &[EvolutionRow], shown: &[(&str, usize, String)]) -> Vec<Surface> {
    let of = |&(variant, layer, _): &(&str, usize, String)| -> Vec<&EvolutionRow> {
        let of = |row: &&EvolutionRow| row.variant == variant && row.layer == layer && row.trial == 0;
        rows.iter().filter(of).collect()
    };
    let shown: Vec<(Vec<&EvolutionRow>, &str)> = shown.iter().map(|case| (of(case), case.2.as_str())).collect();
    let axes = QUANTITIES.map(|Quantity { axis, value, .. }| {
        let values = shown.iter().flat_map(|(rows, _)| rows).map(|row| value(row));
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
        if low <= high { axis().include(low).include(high) } else { axis() }
    });
    let row = |(rows, suffix): &(Vec<&EvolutionRow>, &str)| {
        let panel = |(quantity, axis): (&Quantity, &Axis)| {
            Surface::new(format!("{}{suffix}", quantity.title), by_index(rows.iter().copied(), quantity.value))
                .index("index i")
                .iteration("iteration t")
                .value(axis.clone())
        };
        QUANTITIES.iter().zip(&axes).map(panel).collect::<Vec<_>>()
    };
    shown.iter().flat_map(row).collect()
}
