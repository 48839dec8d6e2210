//! All models: those shipped, and those of the site's directory, which take the place of shipped ones with the same id.

use super::{Model, check_golden, parse};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

macro_rules! shipped {
    ($($id:literal),* $(,)?) => {
        [$(($id, include_str!(concat!("../../../meter-models/", $id, ".toml")))),*]
    };
}

/// The shipped files, by id.
const SHIPPED: [(&str, &str); 15] = shipped![
    "abb-b23",
    "iem3155",
    "iem3255",
    "janitza-umg96",
    "prepaid-node",
    "pzem-004t-v3",
    "relay-board",
    "sdm120",
    "sdm230",
    "sdm630",
    "sdm72d",
    "sdm72d-v2",
    "selec-em2m",
    "selec-em4m",
    "selec-mfm383a",
];

/// A file that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelProblem {
    /// The file.
    pub file: PathBuf,
    /// Its mistakes, in words.
    pub mistakes: Vec<String>,
}

/// Models by id.
#[derive(Debug, Clone, Default)]
pub struct Catalog(BTreeMap<String, Arc<Model>>);

/// The shipped files: name and text.
pub fn builtin() -> impl Iterator<Item = (&'static str, &'static str)> {
    SHIPPED.into_iter()
}

impl Catalog {
    /// The shipped models.
    #[must_use]
    pub fn shipped() -> Self {
        let models = builtin().filter_map(|(_, text)| parse(text).ok());
        Self(
            models
                .map(|model| (model.id.clone(), Arc::new(model)))
                .collect(),
        )
    }

    /// The shipped models and those of a directory. A directory that is not there has none.
    #[must_use]
    pub fn with_directory(directory: &Path) -> (Self, Vec<ModelProblem>) {
        let mut catalog = Self::shipped();
        let mut problems = Vec::new();
        let Ok(entries) = std::fs::read_dir(directory) else {
            return (catalog, problems);
        };
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|file| {
            file.extension()
                .is_some_and(|extension| extension == "toml")
        });
        files.sort();
        for file in files {
            match usable(&file) {
                Ok(model) => {
                    catalog.0.insert(model.id.clone(), Arc::new(model));
                }
                Err(mistakes) => problems.push(ModelProblem { file, mistakes }),
            }
        }
        (catalog, problems)
    }

    /// A model by its id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<Model>> {
        self.0.get(id).cloned()
    }

    /// All models, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.0.values()
    }
}

fn usable(file: &Path) -> Result<Model, Vec<String>> {
    let text = std::fs::read_to_string(file).map_err(|error| vec![error.to_string()])?;
    let model = parse(&text)?;
    for (number, golden) in model.golden.iter().enumerate() {
        check_golden(&model, golden)
            .map_err(|what| vec![format!("golden {}: {what}", number + 1)])?;
    }
    Ok(model)
}
