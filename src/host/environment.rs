//! What the process was started with, read once.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::base::{Code, Diagnostic};

/// The environment variables and working directory as they were at the start.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    variables: BTreeMap<OsString, OsString>,
    directory: PathBuf,
}

/// The line every cache directory carries (<https://bford.info/cachedir/>), so that backups skip it.
const TAG_SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";
/// What our own tags say below it.
const TAG_OWNER: &str = "arca-build";

impl Environment {
    /// Reads variables and working directory.
    pub(crate) fn capture() -> Result<Self, Diagnostic> {
        let directory = std::env::current_dir().map_err(|error| {
            Diagnostic::io("the working directory cannot be told", &error).hint("`cd` to one that exists")
        })?;
        Ok(Self { variables: std::env::vars_os().collect(), directory })
    }

    /// Returns a variable that is set and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsString> {
        self.variables.get(&OsString::from(name)).filter(|value| !value.is_empty())
    }

    /// Returns `PATH`, in which programs are looked for.
    pub(crate) fn search_path(&self) -> Option<&OsStr> {
        self.variable("PATH").map(AsRef::as_ref)
    }

    /// Returns the working directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the time in seconds since 1970, for keys and signatures that expire.
    pub(crate) fn seconds(&self) -> u64 {
        self.now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// Returns the time, for what is about time: grace periods of collection.
    pub(crate) fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    /// Chooses the store's directory: `asked`, else `ARCA_CACHE`, else the nearest `cache/` above the working
    /// directory that carries our tag, else `$XDG_CACHE_HOME/arca-build`.
    pub(crate) fn cache_directory(&self, asked: Option<&Path>) -> Result<PathBuf, Diagnostic> {
        if let Some(asked) = asked {
            return Ok(self.directory.join(asked));
        }
        if let Some(named) = self.variable("ARCA_CACHE") {
            return Ok(self.directory.join(named));
        }
        if let Some(tagged) = self.directory.ancestors().map(|above| above.join("cache")).find(|dir| is_tagged(dir)) {
            return Ok(tagged);
        }
        let base = self.base_directory("XDG_CACHE_HOME", ".cache").ok_or_else(|| {
            Diagnostic::new(Code::Usage, "no cache directory: neither XDG_CACHE_HOME nor HOME is set")
                .hint("name one with `--cache DIR`")
        })?;
        Ok(base.join("arca-build"))
    }

    /// Returns where instances of this user's own libvirt session lie, `$XDG_DATA_HOME/arca-build/instances`.
    pub(crate) fn instances_directory(&self) -> Option<PathBuf> {
        Some(self.base_directory("XDG_DATA_HOME", ".local/share")?.join("arca-build/instances"))
    }

    /// Returns which libvirt to use: `asked`, else what virsh takes from the environment, else the system's for root and
    /// the session's for others.
    pub(crate) fn libvirt_uri(&self, asked: Option<&str>) -> String {
        let set = ["VIRSH_DEFAULT_CONNECT_URI", "LIBVIRT_DEFAULT_URI"].iter().find_map(|name| self.variable(name));
        let own = if rustix::process::geteuid().is_root() { "qemu:///system" } else { "qemu:///session" };
        asked.map(str::to_owned).or_else(|| Some(set?.to_string_lossy().into_owned())).unwrap_or_else(|| own.to_owned())
    }

    /// Chooses where kept machines lie: `asked`, else `ARCA_VMS`, else `$XDG_DATA_HOME/arca-build/vms`.
    pub(crate) fn vms_directory(&self, asked: Option<&Path>) -> Result<PathBuf, Diagnostic> {
        if let Some(named) = asked.map(Path::as_os_str).or_else(|| self.variable("ARCA_VMS").map(AsRef::as_ref)) {
            return Ok(self.directory.join(named));
        }
        let base = self.base_directory("XDG_DATA_HOME", ".local/share").ok_or_else(|| {
            Diagnostic::new(Code::Usage, "no directory for machines: neither XDG_DATA_HOME nor HOME is set")
                .hint("name one with `--vms DIR`")
        })?;
        Ok(base.join("arca-build/vms"))
    }

    /// Returns the default configuration file, `$XDG_CONFIG_HOME/arca-build/config.toml`.
    pub(crate) fn config_file(&self) -> Option<PathBuf> {
        Some(self.base_directory("XDG_CONFIG_HOME", ".config")?.join("arca-build/config.toml"))
    }

    /// The XDG base directory specification: a relative value is ignored.
    fn base_directory(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let set = self.variable(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        set.or_else(|| Some(PathBuf::from(self.variable("HOME")?).join(below_home)))
    }
}

fn is_tagged(directory: &Path) -> bool {
    // Anybody may have put it above the working directory: a pipe must not hang the program, nor an endless file fill it.
    let tag = super::files::read_text(&directory.join("CACHEDIR.TAG"));
    tag.is_ok_and(|tag| tag.is_some_and(|tag| tag.as_bytes().starts_with(TAG_SIGNATURE) && tag.contains(TAG_OWNER)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)], directory: &Path) -> Environment {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Environment { variables, directory: directory.to_owned() }
    }

    #[test]
    fn the_cache_directory_is_found_in_the_order_told() {
        let top = tempfile::tempdir().unwrap();
        let below = top.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        let env = environment(&[("HOME", "/home/u")], &below);
        assert_eq!(env.cache_directory(None).unwrap(), Path::new("/home/u/.cache/arca-build"));
        let env = environment(&[("HOME", "/home/u"), ("XDG_CACHE_HOME", "/c")], &below);
        assert_eq!(env.cache_directory(None).unwrap(), Path::new("/c/arca-build"));

        std::fs::create_dir(top.path().join("cache")).unwrap();
        assert_eq!(env.cache_directory(None).unwrap(), Path::new("/c/arca-build"), "an untagged directory is not ours");
        let tag = [TAG_SIGNATURE, b"\n# made by arca-build\n"].concat();
        std::fs::write(top.path().join("cache/CACHEDIR.TAG"), tag).unwrap();
        assert_eq!(env.cache_directory(None).unwrap(), top.path().join("cache"));

        let pipe = below.join("cache");
        std::fs::create_dir(&pipe).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, pipe.join("CACHEDIR.TAG"), rustix::fs::Mode::from_raw_mode(0o600))
            .unwrap();
        assert_eq!(
            env.cache_directory(None).unwrap(),
            top.path().join("cache"),
            "a pipe is no tag, and is not waited for"
        );

        let env = environment(&[("ARCA_CACHE", "x")], &below);
        assert_eq!(env.cache_directory(None).unwrap(), below.join("x"));
        assert_eq!(env.cache_directory(Some(Path::new("/y"))).unwrap(), Path::new("/y"));
    }

    #[test]
    fn without_a_home_the_way_out_is_told() {
        let problem = environment(&[], Path::new("/")).cache_directory(None).unwrap_err();
        assert!(problem.hint.unwrap().contains("--cache"));
    }
}
