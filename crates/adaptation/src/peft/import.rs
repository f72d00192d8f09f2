//! Reads a LoRA that PEFT wrote.

use std::path::{Path, PathBuf};

use faer::{Mat, MatRef};

use super::host::Host;
use super::names::{LeftOut, Module};
use super::settings::Settings;
use super::tensors::{Tensors, factors, frozen_names};
use super::{ImportError, Names};
use crate::adapter::ScaledLora;
use crate::model_error::ModelError;
use crate::model_files as files;
use crate::{Adapters, Real, Site};

/// Adapters that were imported.
pub struct Imported<T: Real> {
    /// One [`ScaledLora`] on each adapted weight, with its own rank and scaling.
    pub adapters: Adapters<T>,
    /// What the user should know, a sentence each.
    pub warnings: Vec<String>,
}

/// Of a tied weight that PEFT adapts in both uses.
const TRAINED_TWICE: &str = "the two uses of a tied weight have one ΔW here, and it is trained as one; PEFT trains them as two \
                             parameters that lie in one memory, so that each step moves it twice";

/// Of T5's embedding.
const TRAINED_APART: &str = "the uses of T5's embedding have one ΔW here, and it is trained as one; PEFT trains the factors of \
                             each use by themselves";

/// A module that is adapted.
struct Target {
    module: Module,
    rank: usize,
    scale: f64,
}

/// Reads the LoRA in a directory as PEFT writes it (`adapter_config.json`, `adapter_model.safetensors`) for a model: what it computes
/// with them, and how they are trained on, is as with PEFT.
///
/// Rules are those of PEFT 0.21 (`peft/tuners/tuners_utils.py`, `peft/utils/other.py`): `target_modules` as a list, a regular
/// expression, `all-linear` or the architecture's default; `exclude_modules`, `layers_to_transform`, `rank_pattern`,
/// `alpha_pattern`, `use_rslora`. Names may be those of the bare model or of a model with a head. Numbers may be F32, F16,
/// BF16 or F64; all are finite.
///
/// A frozen weight of the file (PEFT adds that of an adapted `embed_tokens`) must be the model's own. On a tied weight PEFT adapts
/// one use alone, unless `ensure_weight_tying` is true; see [`ImportError::OneUse`]. An adapter of T5's embedding must be on all of its
/// uses, with equal factors; see [`ImportError::SomeUses`].
///
/// # Errors
/// If a file is missing or damaged; if a key would compute something else than is computed here; if tensors are missing,
/// unexpected or misshapen: all of them are listed.
pub fn import<T: Real>(directory: &Path, host: &impl Host<T>) -> Result<Imported<T>, ImportError> {
    let settings = Settings::read(&find(directory, "adapter_config.json")?, host.names())?;
    let path = find(directory, "adapter_model.safetensors")?;
    let bytes = files::bytes(&path)?;
    check_targets(host.names(), &settings)?;
    let mut tensors = Tensors::parse(&path, &bytes)?;
    let with_head = has_head(host, &tensors);
    let mut warnings = settings.warnings.clone();
    let adapted = demanded(host, with_head, &settings, &mut tensors, &mut warnings)?;
    let frozen = frozen(host, with_head, &mut tensors);
    if adapted.is_empty() {
        return Err(no_target(host, with_head, settings));
    }
    tensors.check()?;
    for (site, name) in frozen {
        if !host.is_weight(site, &tensors.numbers(&name)?) {
            return Err(ImportError::OtherWeight { path, name });
        }
    }
    let mut adapters = Adapters::new();
    for (site, targets) in adapted {
        adapters.insert(site, Box::new(adapter(site, host.shape(site), &targets, &tensors)?));
    }
    Ok(Imported { adapters, warnings })
}

/// Refuses what PEFT would adapt and is not adapted here.
fn check_targets(names: Names, settings: &Settings) -> Result<(), ImportError> {
    if !names.can_tie() && settings.ensures_tying && settings.targets.name_an_embedding()? {
        let (path, key, found) = (settings.path.clone(), "ensure_weight_tying".to_owned(), "true".to_owned());
        let allowed = "false where T5's embedding or head is adapted (PEFT would tie lm_head to the unused shared, and give encoder \
                       and decoder factors of their own)";
        return Err(ModelError::Setting { path, key, found, allowed: allowed.to_owned() }.into());
    }
    for LeftOut { name, why } in names.left_out() {
        if settings.targets.contain(name, true)? {
            return Err(ImportError::LeftOut { path: settings.path.clone(), module: name, why });
        }
    }
    Ok(())
}

/// The adapted sites with their modules, of which the factors are demanded.
fn demanded<T: Real>(
    host: &impl Host<T>,
    with_head: bool,
    settings: &Settings,
    tensors: &mut Tensors<'_>,
    warnings: &mut Vec<String>,
) -> Result<Vec<(Site, Vec<Target>)>, ImportError> {
    let mut adapted = Vec::new();
    for site in host.sites() {
        let targets = targets(site, with_head, settings, host.names())?;
        let Some(first) = targets.first() else { continue };
        if host.names().may_lack(site, with_head) && !tensors.has_factor(&first.module) {
            let name = &first.module.name;
            warnings.push(format!("there is nothing for {name}: it is taken to be of a model without this module"));
            continue;
        }
        if targets.len() > 1 {
            warnings.push(if host.names().can_tie() { TRAINED_TWICE } else { TRAINED_APART }.to_owned());
        }
        for target in &targets {
            for (name, shape) in factors(&target.module, target.rank, host.shape(site)) {
                tensors.demand(&name, &shape);
            }
        }
        adapted.push((site, targets));
    }
    Ok(adapted)
}

/// A file of the directory.
fn find(directory: &Path, wanted: &'static str) -> Result<PathBuf, ModelError> {
    let path = directory.join(wanted);
    if path.is_file() {
        return Ok(path);
    }
    let old = wanted.ends_with(".safetensors") && directory.join("adapter_model.bin").is_file();
    let hint = if old {
        "; adapter_model.bin is not read, because such a file can run code: save it as safetensors (in PEFT, \
         model.save_pretrained(directory))"
    } else {
        ""
    };
    Err(ModelError::Absent { directory: directory.to_owned(), wanted, hint })
}

/// Whether the adapter is of a model with a head: by the names of most tensors.
fn has_head<T: Real>(host: &impl Host<T>, tensors: &Tensors<'_>) -> bool {
    let names = host.names();
    let count = |with_head| {
        let modules: Vec<Module> = host.sites().into_iter().flat_map(|site| names.modules(site, with_head)).collect();
        tensors.count(modules.iter())
    };
    let (bare, with_head) = (count(false), count(true));
    if bare == with_head { names.written_with_head() } else { with_head > bare }
}

/// The modules of a site that the configuration means: of a weight with several uses all, or none.
fn targets(site: Site, with_head: bool, settings: &Settings, names: Names) -> Result<Vec<Target>, ImportError> {
    let modules = names.modules(site, with_head);
    // PEFT adapts both uses once it names one of them.
    let keeps_tied =
        modules.len() > 1 && names.can_tie() && settings.ensures_tying && settings.targets.name_an_embedding()?;
    let (mut targets, mut others) = (Vec::new(), Vec::new());
    for module in modules {
        if keeps_tied || settings.targets.contain(&module.name, module.is_table)? {
            let (rank, scale) = settings.rank_and_scale(&module.name)?;
            targets.push(Target { module, rank, scale });
        } else {
            others.push(module.name);
        }
    }
    let Some(Target { module, .. }) = targets.first() else { return Ok(targets) };
    if site == Site::TiedEmbedding && names.can_tie() && !keeps_tied {
        return Err(ImportError::OneUse { module: module.name.clone() });
    }
    match others.into_iter().next() {
        Some(other) => Err(ImportError::SomeUses { module: module.name.clone(), other }),
        None => Ok(targets),
    }
}

/// The frozen weights in the file, by their sites.
fn frozen<T: Real>(host: &impl Host<T>, with_head: bool, tensors: &mut Tensors<'_>) -> Vec<(Site, String)> {
    let names = host.names();
    let of_site = |site| {
        let modules = names.modules(site, with_head).into_iter().map(|module| module.name);
        modules
            .chain(names.other_name(site).map(str::to_owned))
            .flat_map(move |name| frozen_names(&name))
            .map(move |name| (site, name))
    };
    let fits = |(site, name): &(Site, String)| {
        let (rows, columns) = host.shape(*site);
        tensors.place(name, &[rows, columns])
    };
    host.sites().into_iter().flat_map(of_site).filter(fits).collect()
}

fn no_target<T: Real>(host: &impl Host<T>, with_head: bool, settings: Settings) -> ImportError {
    let modules = host.sites().into_iter().flat_map(|site| host.names().modules(site, with_head));
    let dense = modules.into_iter().find(|module| !module.is_table).map(|module| module.name);
    ImportError::NoTarget { path: settings.path, found: settings.shown, example: dense.unwrap_or_default() }
}

/// The adapter of a site, from the tensors of its modules: those of a tied weight are the same.
fn adapter<T: Real>(
    site: Site,
    shape: (usize, usize),
    targets: &[Target],
    tensors: &Tensors<'_>,
) -> Result<ScaledLora<T>, ImportError> {
    let (target, others) = targets.split_first().expect("a target");
    let factors = tensors.read(&target.module, target.rank, shape)?;
    for other in others {
        let differ = if other.scale != target.scale {
            Some("scalings")
        } else {
            (tensors.read(&other.module, other.rank, shape)? != factors).then_some("factors")
        };
        if let Some(what) = differ {
            let (first, second) = (target.module.name.clone(), other.module.name.clone());
            return Err(ImportError::TwoUses { first, second, what });
        }
    }
    let (b, a) = (real(factors.b.as_ref()), real(factors.a.as_ref()));
    Ok(ScaledLora::new(site, b.as_ref(), a.as_ref(), target.scale))
}

fn real<T: Real>(matrix: MatRef<'_, f32>) -> Mat<T> {
    Mat::from_fn(matrix.nrows(), matrix.ncols(), |i, j| T::of(matrix[(i, j)].into()))
}
