//! What `export`, `import` and `show` print. Touches the terminal through its printer.

use serde_json::json;

use crate::base::ByteSize;
use crate::base::text::{count, one_line};
use crate::commands::import::Imported;
use crate::commands::printer::Printer;
use crate::commands::show::Shown;
use crate::commands::{Index, Packed};

/// One line as `sha256sum` writes it, so that `sha256sum -c` reads it.
pub(super) fn print_exported(printer: &Printer, path: &std::path::Path, packed: &Packed) {
    if printer.is_json() {
        return printer.json(&json!({
            "path": path, "digest": packed.digest, "size": packed.size, "unchanged": packed.unchanged,
        }));
    }
    printer.data(&format!("{}  {}\n", packed.digest, one_line(&path.to_string_lossy(), 4096)));
    printer.say_aligned(&[
        ("archive", format!("{}{}", ByteSize(packed.size), if packed.unchanged { " (nothing to do)" } else { "" })),
        ("holds", holds(&packed.index)),
        ("import", format!("arca-build import {} --expect {}", carried_name(path), packed.digest)),
    ]);
}

/// The archive's own name, as one types it where it is carried to.
fn carried_name(path: &std::path::Path) -> String {
    let name = path.file_name().and_then(|name| name.to_str());
    let is_plain =
        |name: &&str| !name.starts_with('-') && name.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c));
    name.filter(is_plain).unwrap_or("ARCHIVE").to_owned()
}

fn holds(index: &Index) -> String {
    let (held, elsewhere) = index.sizes();
    let objects = |held: bool| index.objects.iter().filter(|object| object.held == held).count();
    let there = match objects(false) {
        0 => String::new(),
        more => format!("; {more} more ({}) must be there already", ByteSize(elsewhere)),
    };
    let (recipes, files) = (count(index.roots.len(), "recipe"), count(index.files.len(), "file"));
    format!("{recipes}, {files}, {} ({}){there}", count(objects(true), "object"), ByteSize(held))
}

pub(super) fn print_imported(printer: &Printer, imported: &Imported) {
    let unpacked = &imported.unpacked;
    if printer.is_json() {
        return printer.json(&json!({
            "directory": imported.directory, "recipes": imported.recipes, "digest": imported.digest,
            "added": unpacked.added, "added_bytes": unpacked.added_bytes, "reused": unpacked.reused, "files": unpacked.files,
        }));
    }
    let directory = &imported.directory;
    for recipe in &imported.recipes {
        printer.data(&format!("{}\n", one_line(&directory.join(recipe).to_string_lossy(), 4096)));
    }
    let size = ByteSize(unpacked.added_bytes);
    printer.say(&format!(
        "{} added ({size}), {} there already; {} laid out in {}",
        count(unpacked.added, "object"),
        unpacked.reused,
        count(unpacked.files, "file"),
        directory.display()
    ));
    printer.say("build them with `arca-build --offline build RECIPE`");
}

pub(super) fn print_shown(printer: &Printer, shown: &Shown) {
    let index = &shown.index;
    if printer.is_json() {
        return printer.json(&json!({ "digest": shown.digest, "size": shown.size, "index": index }));
    }
    let mut lines = vec![format!("sha256:{}  {}", shown.digest, ByteSize(shown.size)), holds(index)];
    for root in &index.roots {
        let bundle = if root.bundle.is_empty() {
            String::new()
        } else {
            format!(", bundle of {}", count(root.bundle.len(), "file"))
        };
        lines.push(format!("recipe {} ({}), plan {}{bundle}", root.recipe, root.name, root.plan.short()));
    }
    lines.extend(index.files.iter().map(|file| format!("file   {}  {}", file.sha256.short(), file.path)));
    for object in &index.objects {
        let there = if object.held { "" } else { "  (not in this archive)" };
        lines.push(format!("object {}  {}{there}", object.sha256, ByteSize(object.size)));
    }
    lines.iter().for_each(|line| printer.data(&format!("{}\n", one_line(line, 4096))));
}
