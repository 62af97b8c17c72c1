//! What `import-config` prints. Touches the terminal through its printer.

use serde_json::json;

use super::dispatch::lossy;
use crate::base::text::one_line;
use crate::commands::import_config::ImportedConfig;
use crate::commands::printer::Printer;

/// Prints the recipe's path; what was left out is told, for it is what a person has to do by hand.
pub(super) fn print(printer: &Printer, imported: &ImportedConfig) {
    if printer.is_json() {
        return printer.json(&json!({
            "recipe": lossy(&imported.recipe),
            "text": imported.text,
            "copied": imported.copied.iter().map(|path| lossy(path)).collect::<Vec<_>>(),
            "left_out": imported.skipped,
        }));
    }
    let shown = one_line(&imported.recipe.display().to_string(), 4096);
    printer.data(&format!("{shown}\n"));
    for path in &imported.copied {
        printer.say(&format!("copied    {}", one_line(&path.display().to_string(), 4096)));
    }
    for line in &imported.skipped {
        printer.say(&format!("left out  {line}"));
    }
    let quoted = shlex::try_quote(&shown).unwrap_or_default().into_owned();
    printer.say(&format!("read it, pin its base with `arca-build update {quoted}`, then `arca-build {quoted}`"));
}
