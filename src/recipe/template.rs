//! The recipe that `arca-build new` writes. Touches nothing.

use super::Recipe;
use super::types::HostName;
use crate::base::Name;

const TEMPLATE: &str = include_str!("template.toml");

impl Recipe {
    /// Returns a commented recipe of that name to start from; it parses as it is.
    pub(crate) fn template(name: &Name) -> String {
        TEMPLATE.replace("@NAME@", name.as_str()).replace("@HOST@", &host(name))
    }
}

/// Makes a host name of a recipe's name, which may hold more: hyphens stand for what no host name has.
fn host(name: &Name) -> String {
    if name.as_str().parse::<HostName>().is_ok() {
        return name.as_str().to_owned();
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let host: String = "vm-".chars().chain(name.as_str().chars().map(plain)).take(63).collect();
    host.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::parse;

    #[test]
    fn a_new_recipe_parses_under_any_name() {
        for name in ["nas", "a", "0.1_x-y", "Box_", "1", &"7".repeat(63), &"n".repeat(63)] {
            let name = Name::parse(name).unwrap();
            let recipe = parse(&Recipe::template(&name), "new.toml").unwrap();
            assert_eq!(recipe.name, name);
            assert!(recipe.provision.root.is_some() && recipe.machine.disks.is_empty());
            assert!(recipe.provision.settings.hostname.is_some());
            assert_eq!(recipe.provision.engine, None);
        }
    }

    /// What stands in comments is meant to be uncommented, so it must be right too.
    #[test]
    fn its_commented_parts_parse_once_uncommented() {
        let name = Name::parse("nas").unwrap();
        let begins = |line: &str| {
            let keys = [
                "name",
                "serial",
                "size",
                "groups",
                "ssh_keys",
                "description",
                "timezone",
                "locale",
                "ntp",
                "path",
                "text",
            ];
            let key = line.strip_prefix("# ").and_then(|line| line.split_once(" = ")).map(|(key, _)| key);
            let more = ["kernel_arguments", "engine", "password_hash"];
            line.starts_with("# [[") || key.is_some_and(|key| keys.contains(&key) || more.contains(&key))
        };
        let template = Recipe::template(&name);
        let lines: Vec<&str> = template.lines().map(|line| if begins(line) { &line[2..] } else { line }).collect();
        let recipe = parse(&lines.join("\n"), "new.toml").unwrap();
        assert_eq!((recipe.machine.disks.len(), recipe.provision.users.len()), (1, 1));
        assert!(recipe.description.is_some() && recipe.provision.files.len() == 1);
        assert!(recipe.provision.root.is_some_and(|root| root.value.password_hash.is_some()));
        let settings = recipe.provision.settings;
        assert!(settings.timezone.is_some() && settings.locale.is_some() && settings.kernel_arguments.len() == 1);
    }
}
