//! The recipes that a command is given: read, planned, and what realises their plans. Read next: [`super::build`].

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::context::{Context, LARGEST_INPUT, VERSION};
use super::moved;
use super::recipe_file::LoadedRecipe;
use super::update::PublisherQuery;
use crate::base::{Code, Diagnostic, Diagnostics, Name};
use crate::fetch::Fetch;
use crate::lock::Mirrors;
use crate::plan::Plan;
use crate::realise::BuildContext;
use crate::recipe::Source;
use crate::store::Store;

/// Recipes to work on.
#[derive(Clone, Debug, Args)]
pub(crate) struct Recipes {
    /// Recipe files; `demo` is inside the program
    #[arg(required = true, value_name = "RECIPE", value_hint = ValueHint::FilePath)]
    pub recipes: Vec<PathBuf>,
}

impl Recipes {
    /// Reads and plans every recipe; two of one name would write one link.
    ///
    /// # Errors
    /// Every mistake in every recipe.
    pub(super) fn plan(&self, context: &Context<'_>) -> Result<Vec<(LoadedRecipe, Plan)>, Diagnostics> {
        let (planned, mut problems) = each(&self.recipes, |path| {
            let loaded = LoadedRecipe::read(context, path)?;
            let plan = loaded.plan(context)?;
            Ok((loaded, plan))
        });
        for (index, (loaded, plan)) in planned.iter().enumerate() {
            let earlier = planned[..index].iter().find(|earlier| earlier.1.name == plan.name);
            if let Some(earlier) = earlier.filter(|earlier| earlier.1.id != plan.id) {
                problems.push(same_name(&plan.name, &earlier.0.recipe.file, &loaded.recipe.file));
            }
        }
        unless(problems, planned)
    }
}

/// Does something for each of several; returns the results, and the errors of all that fail.
pub(super) fn each<I, T>(all: &[I], act: impl Fn(&I) -> Result<T, Diagnostics>) -> (Vec<T>, Vec<Diagnostic>) {
    let (mut done, mut problems) = (vec![], vec![]);
    for one in all {
        match act(one) {
            Ok(result) => done.push(result),
            Err(more) => problems.extend(more.0),
        }
    }
    (done, problems)
}

/// Returns the result, unless something failed.
pub(super) fn unless<T>(problems: Vec<Diagnostic>, result: T) -> Result<T, Diagnostics> {
    if problems.is_empty() { Ok(result) } else { Err(Diagnostics(problems)) }
}

/// Reports two recipes that would write one link.
pub(super) fn same_name(name: &Name, first: &str, second: &str) -> Diagnostic {
    Diagnostic::new(Code::Usage, format!("two recipes are named `{name}`"))
        .fact("first", first)
        .fact("second", second)
        .hint("give one of them another `name`")
}

/// What realises the plans of one run: the store, and where inputs come from.
pub(super) struct Realiser<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) store: Store<'a>,
    mirrors: Mirrors,
    fetch: Box<dyn Fetch>,
}

impl<'a> Realiser<'a> {
    pub(super) fn open(context: &'a Context<'_>) -> Result<Self, Diagnostics> {
        let (mirrors, store) = (context.mirrors()?, context.open_store()?);
        Ok(Self { context, store, mirrors, fetch: context.fetcher() })
    }

    /// Does something with what builds a recipe; a failure of an input says what the publisher has today.
    pub(super) fn with<T>(
        &self,
        loaded: &LoadedRecipe,
        act: impl FnOnce(&BuildContext<'_>) -> Result<T, Diagnostics>,
    ) -> Result<T, Diagnostics> {
        let rewrite = |source: &Source| Context::candidates(&self.mirrors, source);
        let build = BuildContext {
            store: &self.store,
            fetch: self.fetch.as_ref(),
            beside: &loaded.beside,
            rewrite: &rewrite,
            events: self.context.events,
            version: VERSION,
            largest: LARGEST_INPUT,
        };
        act(&build).map_err(|problems| {
            let (context, fetch, mirrors) = (self.context, self.fetch.as_ref(), &self.mirrors);
            let query = PublisherQuery { context, fetch, mirrors, loaded };
            Diagnostics(problems.0.into_iter().map(|problem| moved::explain(problem, loaded, &query)).collect())
        })
    }
}
