//! A real web server over a directory: `nginx`, in the foreground, on a port of loopback. Touches the directory it is given.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Running, tool};

/// A running server; it ends with the value.
pub struct Nginx {
    program: PathBuf,
    place: PathBuf,
    root: PathBuf,
    pub port: u16,
    running: Option<Running>,
}

impl Nginx {
    /// Serves `root`; keeps its own files in `place`, which it makes. None where there is no nginx, which is told.
    pub fn serve(root: &Path, place: &Path) -> Option<Self> {
        let program = tool("nginx")?;
        std::fs::create_dir(place).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (place, root) = (place.to_owned(), root.to_owned());
        let mut this = Self { program, place, root, port, running: None };
        this.begin(&[]);
        Some(this)
    }

    /// Begins anew on the same port, with these paths redirected (302) to other paths.
    pub fn begin(&mut self, redirects: &[(&str, &str)]) {
        self.running = None;
        let place = self.place.display();
        let mut text = format!(
            "daemon off; master_process off; pid {place}/pid; error_log {place}/error.log;\nevents {{}}\n\
             http {{ access_log {place}/access.log;\n"
        );
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            let _ = writeln!(text, "{kind}_temp_path {place}/{kind};");
        }
        let _ = writeln!(
            text,
            "server {{ listen 127.0.0.1:{}; root {}; absolute_redirect off;",
            self.port,
            self.root.display()
        );
        for (from, to) in redirects {
            let _ = writeln!(text, "location = {from} {{ return 302 {to}; }}");
        }
        text.push_str("} }\n");
        let config = self.place.join("nginx.conf");
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(&self.program);
        command.arg("-p").arg(&self.place).arg("-c").arg(config).arg("-e").arg(self.place.join("error.log"));
        self.running = Some(Running::start(&mut command));
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "nginx does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The paths that were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.place.join("access.log")).unwrap_or_default();
        let path = |line: &str| Some(line.split('"').nth(1)?.split(' ').nth(1)?.to_owned());
        log.lines().filter_map(path).collect()
    }
}
