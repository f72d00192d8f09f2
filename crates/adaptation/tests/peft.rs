//! Export to PEFT: names, shapes and the `ΔW` that its two tensors give back; what is no low-rank product is refused.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use adaptation::adapter::{Adalora, Compressed, DeepLora, Lora, SineLora, Width, ZeroFactor};
use adaptation::peft::{ExportError, export};
use adaptation::{Adapters, Applied, AppliedGradient, Architecture, Method, Real, Site};
use dynamics::random::{gaussian, stream};
use faer::{Mat, Par};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

const DENSE: [Site; 3] = [Site::Query(0), Site::Output(1), Site::Pooler];
const ALL: [Site; 5] = [Site::WordEmbeddings, Site::PositionEmbeddings, Site::Query(0), Site::Output(1), Site::Pooler];

/// Of a step: so many that what is of full width is multiplied out.
const TOKENS: usize = 480;

fn shape(site: Site) -> (usize, usize) {
    match site {
        Site::WordEmbeddings => (50, 12),
        Site::PositionEmbeddings => (20, 12),
        Site::Output(_) => (12, 24),
        _ => (12, 12),
    }
}

/// Adapters moved away from where they start.
fn trained<T: Real>(method: Method, sites: &[Site]) -> Adapters<T> {
    let mut probe = Adapters::<T>::probe(sites, shape);
    for &site in sites {
        let random = random::<T>(shape(site), &site.name());
        match probe.applied_and_gradient(site) {
            Some((_, AppliedGradient::Merged(gradient))) => *gradient = random,
            Some((_, AppliedGradient::MergedRows(gradient))) => {
                gradient.keep(0..12);
                (0..12).for_each(|row| gradient.add(row, &random.row(row).iter().copied().collect::<Vec<_>>()));
            }
            _ => panic!("a probe is merged"),
        }
    }
    let mut adapters = method.adapters(sites, shape, |_| TOKENS, Some(&probe), 1).unwrap();
    for (_, parameter) in adapters.parameters_mut() {
        parameter.value += random::<T>(parameter.value.shape(), &parameter.name);
    }
    adapters.refresh(Par::Seq);
    adapters
}

fn random<T: Real>((rows, columns): (usize, usize), purpose: &str) -> Mat<T> {
    let random = gaussian(rows, columns, &mut stream(2, &[purpose]));
    Mat::from_fn(rows, columns, |i, j| T::of(0.1 * random[(i, j)]))
}

fn tensors(directory: &Path) -> HashMap<String, Mat<f64>> {
    let bytes = fs::read(directory.join("adapter_model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter()
        .map(|(name, tensor)| {
            assert_eq!(tensor.dtype(), Dtype::F32);
            let [rows, columns] = *tensor.shape() else { panic!("{name} is no matrix") };
            let number = |place: usize| f32::from_le_bytes(tensor.data()[4 * place..4 * place + 4].try_into().unwrap());
            (name.to_owned(), Mat::from_fn(rows, columns, |i, j| number(i * columns + j).into()))
        })
        .collect()
}

/// `ΔW` as PEFT forms it.
fn delta(tensors: &HashMap<String, Mat<f64>>, site: Site) -> Mat<f64> {
    let get = |name: &str| &tensors[&format!("base_model.model.{}.{name}", site.name())];
    if site.is_embedding() {
        (get("lora_embedding_B") * get("lora_embedding_A")).transpose().to_owned()
    } else {
        get("lora_B.weight") * get("lora_A.weight")
    }
}

fn assert_round_trip<T: Real>(method: Method, sites: &[Site]) {
    let adapters = trained::<T>(method, sites);
    let directory = tempfile::tempdir().unwrap();
    export(&adapters, Architecture::Bert, "tiny", directory.path()).unwrap();
    let tensors = tensors(directory.path());
    assert_eq!(tensors.len(), 2 * sites.len());
    for &site in sites {
        let expected = adapters.delta(site).unwrap();
        let expected = Mat::from_fn(expected.nrows(), expected.ncols(), |i, j| expected[(i, j)].as_f64());
        assert!(expected.norm_l2() > 1e-2, "a ΔW of nearly zero tests nothing");
        let distance = (delta(&tensors, site) - &expected).norm_l2() / expected.norm_l2();
        assert!(distance < 3e-7, "{method:?}, {}: off by {distance:e}", site.name());
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn low_rank_methods_give_back_their_delta() {
    for method in [
        Method::Lora(Lora { rank: 4, zero: ZeroFactor::Input }),
        Method::Lora(Lora { rank: 4, zero: ZeroFactor::Output }),
        Method::DeepLora(DeepLora { rank: Width::Narrow(4), depth: 3, init_scale: 0.5 }),
        Method::DeepLora(DeepLora { rank: Width::Narrow(4), depth: 5, init_scale: 0.5 }),
    ] {
        assert_round_trip::<f32>(method, &ALL);
        assert_round_trip::<f64>(method, &ALL);
    }
    // With a scale that is not 1.
    let adalora = Method::Adalora(Adalora { alpha: 10.0, ..Adalora::of_rank(2) });
    assert_round_trip::<f32>(adalora, &DENSE);
    assert_round_trip::<f64>(adalora, &DENSE);
    let compressed = Compressed { rank: 4, depth: 3, init_scale: 0.5, discrepant_step: 0.01 };
    assert_round_trip::<f32>(Method::Compressed(compressed), &ALL);
}

#[test]
fn names_shapes_and_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let method = Method::DeepLora(DeepLora { rank: Width::Narrow(4), depth: 3, init_scale: 0.5 });
    export(&trained::<f32>(method, &ALL), Architecture::Bert, "tiny", directory.path()).unwrap();
    let tensors = tensors(directory.path());
    for (name, shape) in [
        ("base_model.model.embeddings.word_embeddings.lora_embedding_A", (4, 50)),
        ("base_model.model.embeddings.word_embeddings.lora_embedding_B", (12, 4)),
        ("base_model.model.embeddings.position_embeddings.lora_embedding_A", (4, 20)),
        ("base_model.model.encoder.layer.0.attention.self.query.lora_A.weight", (4, 12)),
        ("base_model.model.encoder.layer.1.output.dense.lora_A.weight", (4, 24)),
        ("base_model.model.encoder.layer.1.output.dense.lora_B.weight", (12, 4)),
        ("base_model.model.pooler.dense.lora_B.weight", (12, 4)),
    ] {
        assert_eq!(tensors[name].shape(), shape, "{name}");
    }
    let text = fs::read_to_string(directory.path().join("adapter_config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&config["peft_type"], &config["base_model_name_or_path"]), (&"LORA".into(), &"tiny".into()));
    assert_eq!((&config["r"], &config["lora_alpha"]), (&4.into(), &4.into()));
    let modules = config["target_modules"].as_array().unwrap();
    assert!(modules.len() == 5 && modules.contains(&"encoder.layer.1.output.dense".into()), "{modules:?}");
    assert_eq!(config["rank_pattern"], serde_json::json!({}));
}

#[test]
fn modules_have_the_names_of_the_architecture() {
    let directory = tempfile::tempdir().unwrap();
    let sites = [Site::Query(0), Site::AttentionOutput(1), Site::Output(1)];
    export(
        &trained::<f32>(Method::Lora(Lora { rank: 2, zero: ZeroFactor::Output }), &sites),
        Architecture::Mpnet,
        "tiny",
        directory.path(),
    )
    .unwrap();
    let (tensors, config) =
        (tensors(directory.path()), fs::read_to_string(directory.path().join("adapter_config.json")));
    let config = config.unwrap();
    for module in
        ["encoder.layer.0.attention.attn.q", "encoder.layer.1.attention.attn.o", "encoder.layer.1.output.dense"]
    {
        assert!(tensors.contains_key(&format!("base_model.model.{module}.lora_A.weight")), "{module}");
        assert!(config.contains(&format!("\"{module}\"")), "{module}: {config}");
    }
}

/// A full-width product whose factors are nearly of low rank is exported at the rank it has, site by site, in whichever form it
/// is applied.
#[test]
fn wide_adapters_of_low_rank_are_exported_narrow() {
    for tokens in [1, TOKENS] {
        wide_adapters_of_low_rank(tokens);
    }
}

fn wide_adapters_of_low_rank(tokens: usize) {
    let method = Method::DeepLora(DeepLora { rank: Width::Full, depth: 3, init_scale: 1e-3 });
    let sites = [&[Site::WordEmbeddings][..], &DENSE].concat();
    let mut adapters = method.adapters::<f32>(&sites, shape, |_| tokens, None, 1).unwrap();
    let merged = matches!(adapters.applied(Site::Pooler), Some(Applied::Merged(_)));
    assert_eq!(merged, tokens == TOKENS);
    let ranks = HashMap::from([
        (Site::WordEmbeddings.name(), 1),
        (Site::Query(0).name(), 2),
        (Site::Output(1).name(), 3),
        (Site::Pooler.name(), 0),
    ]);
    for (site, parameter) in adapters.parameters_mut() {
        for k in 0..ranks[&site.name()] {
            parameter.value[(k, k)] += 0.5 / (k + 1) as f32;
        }
    }
    adapters.refresh(Par::Seq);
    let directory = tempfile::tempdir().unwrap();
    export(&adapters, Architecture::Bert, "tiny", directory.path()).unwrap();
    let text = fs::read_to_string(directory.path().join("adapter_config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(config["r"], 3);
    let others = serde_json::json!({
        "embeddings.word_embeddings": 1, "encoder.layer.0.attention.self.query": 2, "pooler.dense": 1,
    });
    assert_eq!((&config["rank_pattern"], &config["alpha_pattern"]), (&others, &others));
    let tensors = tensors(directory.path());
    for site in sites {
        let expected = adapters.delta(site).unwrap();
        let expected = Mat::from_fn(expected.nrows(), expected.ncols(), |i, j| f64::from(expected[(i, j)]));
        let distance = (delta(&tensors, site) - expected).norm_max();
        assert!(distance < 2e-6, "{}: off by {distance:e}", site.name());
    }
}

#[test]
fn what_is_no_low_rank_product_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("adapter");
    for method in [
        Method::SineLora(SineLora { rank: 4, frequency: 20.0 }),
        Method::DeepLora(DeepLora { rank: Width::Full, depth: 3, init_scale: 0.5 }),
    ] {
        let error = export(&trained::<f32>(method, &DENSE), Architecture::Bert, "tiny", &target).unwrap_err();
        assert!(matches!(error, ExportError::NotLowRank { rows: 12, columns: 12, limit: 6, .. }), "{error}");
        assert!(
            error.to_string().starts_with("encoder.layer.0.attention.self.query: ΔW (12 × 12) has rank "),
            "{error}"
        );
        assert!(!target.exists(), "nothing is written");
    }
    assert!(matches!(export(&Adapters::<f32>::new(), Architecture::Bert, "tiny", &target), Err(ExportError::Nothing)));
    let mut broken = trained::<f32>(Method::SineLora(SineLora { rank: 4, frequency: 20.0 }), &DENSE);
    broken.parameters_mut().for_each(|(_, parameter)| parameter.value.fill(f32::NAN));
    broken.refresh(Par::Seq);
    assert!(matches!(export(&broken, Architecture::Bert, "tiny", &target), Err(ExportError::Decomposition { .. })));
}

#[test]
fn what_cannot_be_written_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let adapters = trained::<f32>(Method::Lora(Lora { rank: 2, zero: ZeroFactor::Output }), &DENSE);
    let error = export(&adapters, Architecture::Bert, "tiny", &file.path().join("adapter")).unwrap_err().to_string();
    assert!(error.starts_with("cannot write ") && error.ends_with("adapter"), "{error}");
}
