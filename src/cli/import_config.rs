//! What `import-config` prints. Touches the terminal through its voice.

use serde_json::json;

use super::commands::lossy;
use super::out::Voice;
use crate::base::text::one_line;
use crate::ops::import_config::ImportedConfig;

/// Prints the recipe's path; what was left out is told, for it is what a person has to do by hand.
pub(super) fn print(voice: &Voice, imported: &ImportedConfig) {
    if voice.is_json() {
        return voice.json(&json!({
            "recipe": lossy(&imported.recipe),
            "text": imported.text,
            "copied": imported.copied.iter().map(|path| lossy(path)).collect::<Vec<_>>(),
            "left_out": imported.skipped,
        }));
    }
    let shown = one_line(&imported.recipe.display().to_string(), 4096);
    voice.data(&format!("{shown}\n"));
    for path in &imported.copied {
        voice.say(&format!("copied    {}", one_line(&path.display().to_string(), 4096)));
    }
    for line in &imported.skipped {
        voice.say(&format!("left out  {line}"));
    }
    let quoted = shlex::try_quote(&shown).unwrap_or_default().into_owned();
    voice.say(&format!("read it, pin its base with `arca-build update {quoted}`, then `arca-build {quoted}`"));
}
