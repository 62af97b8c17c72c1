//! (stand-in until the branch is merged)
use crate::base::{DiskLabel, Place, Problems, Secret};
use crate::recipe::{LocalFiles, Recipe, RecipePath};
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub id: &'static str,
    pub text: String,
    pub place: Option<Place>,
}
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Lowered {
    pub config: Option<Secret<Vec<u8>>>,
    pub script: Option<Secret<Vec<u8>>>,
    pub side_files: Vec<(String, RecipePath)>,
    pub label: Option<DiskLabel>,
    pub warnings: Vec<Warning>,
}
pub fn lower(_: &Recipe, _: &LocalFiles) -> Result<Lowered, Problems> {
    Ok(Lowered::default())
}
