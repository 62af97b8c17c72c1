//! The network matrix: every row of the table is met by a fresh download, by one that resumes, by one that has a second
//! mirror, and through a proxy; all by the code that builds use, into a store of their own. Touches loopback and
//! temporary directories.
//!
//! Each must end as the table says, within its deadline, name who failed, show no secret and nothing unprintable, and
//! leave a store in which the plain next attempt succeeds. The rows: `net_table.rs`. Single questions: `net.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::base::text::is_unsafe;
use crate::base::{BaseKind, ByteSize, Diagnostic, Digest, Event, Url};
use crate::fetch::{Http, Proxy, Settings};
use crate::host::RecipeDir;
use crate::plan::{Origin, Plan};
use crate::realise::{BuildContext, Realised, realise_inputs};
use crate::recipe::{LocalFiles, Source};
use crate::store::{Repair, Store};
use crate::{lock, plan, provision, recipe};

use crate::tests::fault::net_table::{self as table, Ends, KEPT, Leads, Liar, Row, SIZE, file};
use crate::tests::fault::store::patient;
use crate::tests::support::relay::{CREDENTIALS, Port, Relay, fixture};
use crate::tests::support::server::{Behaviour, Framing, HONEST, Server, Stop};
use crate::tests::support::workdir;

const DEADLINE: Duration = Duration::from_secs(20);
/// How many meet their server at once: they wait more than they work.
const LANES: usize = 16;

/// In which way a row is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Fresh,
    Resumed,
    /// An honest mirror stands behind the liar.
    Second,
    /// An honest proxy stands before the liar.
    Proxied,
}
const WAYS: [Way; 4] = [Way::Fresh, Way::Resumed, Way::Second, Way::Proxied];

pub fn quick(proxy: Proxy) -> Settings {
    Settings {
        connect: Duration::from_millis(500),
        stall: Duration::from_millis(1500),
        attempts: 3,
        backoff: Duration::from_millis(2),
        retry_cap: Duration::from_millis(50),
        ca_files: vec![fixture("authority.pem")],
        proxy,
        ..Settings::default()
    }
}

/// A row with its server, its proxy and what its path leads to; all end when it is dropped.
struct Stage {
    source: String,
    second: String,
    proxy: Proxy,
    liar: Option<Server>,
    honest: Server,
    relay: Option<Relay>,
    _inner: Option<Relay>,
    _port: Option<Port>,
    _growing: Option<Growing>,
}

impl Stage {
    fn set(row: &Row, way: Way, world: &Path) -> Self {
        let honest = Server::one(file(), &[]);
        let url = honest.url("/file");
        let mut stage = Self {
            source: String::new(),
            second: url.clone(),
            proxy: Proxy::Never,
            liar: None,
            honest,
            relay: None,
            _inner: None,
            _port: None,
            _growing: None,
        };
        stage.set_liar(&row.liar, world);
        if way == Way::Proxied {
            stage.put_a_proxy_before();
        }
        if let Some(relay) = &stage.relay {
            stage.proxy = through(relay.address());
        }
        if !stage.source.starts_with("file:") {
            stage.source = stage.source.replacen("://", "://user:canary2@", 1) + "?token=canary3";
        }
        stage
    }

    fn set_liar(&mut self, liar: &Liar, world: &Path) {
        match liar {
            Liar::Web(does) => self.source = self.serve(does).url("/file"),
            Liar::Public(does) => {
                let address = self.serve(does).address();
                let names = [("public.invalid", address), ("other.invalid", self.honest.address())];
                self.relay = Some(Relay::knowing(names));
                self.source = "http://public.invalid/file".into();
            }
            Liar::Secure { does, farewell } => {
                let behind = self.serve(does).address();
                self.stand_at(Port::tls("good.pem", behind, *farewell));
            }
            Liar::Certificate(certificate) => {
                let behind = self.serve(&[Behaviour { framing: Framing::Close, ..HONEST }]).address();
                self.stand_at(Port::tls(certificate, behind, true));
            }
            Liar::NoTls(says) => self.stand_at(Port::saying(says)),
            Liar::Mute => self.stand_at(Port::silent()),
            Liar::Proxy(does) => {
                let server = self.serve(does);
                server.put("/honest", file(), &[]);
                self.proxy = through(self.liar.as_ref().unwrap().address());
                (self.source, self.second) =
                    ("http://mirror.invalid/file".into(), "http://mirror.invalid/honest".into());
            }
            Liar::Tunnel(does) => {
                let server = self.serve(&[]);
                server.put("mirror.invalid:443", file(), does);
                self.proxy = through(self.liar.as_ref().unwrap().address());
                (self.source, self.second) =
                    ("https://mirror.invalid/file".into(), "http://mirror.invalid/file".into());
            }
            Liar::Host(host) => self.source = self.serve(&[]).url("/file").replace("127.0.0.1", host),
            Liar::Nobody(address) => {
                let closed = Server::start().address().port(); // dropped at once
                self.source = address.replace("{closed}", &closed.to_string());
            }
            Liar::Path(leads) => {
                let (path, growing) = lay(*leads, world);
                (self.source, self._growing) = (format!("file://{}", path.display()), growing);
            }
        }
    }

    fn serve(&mut self, does: &[Behaviour]) -> &Server {
        let mut does = does.to_vec();
        for (_, value) in does.iter_mut().flat_map(|one| &mut one.headers) {
            *value = value.replace("{honest}", &self.second);
        }
        self.liar.insert(Server::one(file(), &does))
    }

    fn stand_at(&mut self, port: Port) {
        self.source = format!("https://{}/file", port.address);
        self._port = Some(port);
    }

    fn put_a_proxy_before(&mut self) {
        self._inner = self.relay.take();
        self.relay = Some(match (&self._inner, &self.proxy) {
            (Some(inner), _) => Relay::before(inner.address()),
            (None, Proxy::Through(_)) => Relay::before(self.liar.as_ref().unwrap().address()),
            (None, _) => Relay::knowing([]),
        });
    }
}

fn through(address: std::net::SocketAddr) -> Proxy {
    Proxy::Through(Url::parse(&format!("http://{CREDENTIALS}@{address}")).unwrap())
}

/// Makes what a file address leads to.
fn lay(leads: Leads, world: &Path) -> (PathBuf, Option<Growing>) {
    let (path, target) = (world.join("base"), world.join("target"));
    let link = |to: &Path| std::os::unix::fs::symlink(to, &path).unwrap();
    match leads {
        Leads::File => std::fs::write(&path, file()).unwrap(),
        Leads::Link => {
            std::fs::write(&target, file()).unwrap();
            link(&target);
        }
        Leads::LinkToDevice => link(Path::new("/dev/zero")),
        Leads::Dangling => link(&target),
        Leads::Pipe => {
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        }
        Leads::Device => return ("/dev/zero".into(), None),
        Leads::Directory => std::fs::create_dir(&path).unwrap(),
        Leads::Nowhere => {}
        Leads::Longer => std::fs::write(&path, [file(), file()].concat()).unwrap(),
        Leads::Shorter => std::fs::write(&path, &file()[..SIZE - 1]).unwrap(),
        Leads::Other => std::fs::write(&path, vec![7; SIZE]).unwrap(),
        Leads::Growing => {
            std::fs::write(&path, [file(), vec![0]].concat()).unwrap();
            return (path.clone(), Some(Growing::begin(&path)));
        }
    }
    (path, None)
}

/// A file that grows until the value is dropped.
struct Growing(Arc<AtomicBool>);

impl Growing {
    fn begin(path: &Path) -> Self {
        use std::io::Write;
        let stop = Arc::new(AtomicBool::new(false));
        let (ended, mut file) = (Arc::clone(&stop), std::fs::OpenOptions::new().append(true).open(path).unwrap());
        thread::spawn(move || {
            while !ended.load(Ordering::SeqCst) {
                file.write_all(&[0; 4096]).unwrap();
                thread::sleep(Duration::from_micros(100));
            }
        });
        Self(stop)
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A plan whose only input is the file, to be had at these places.
fn planned(sources: &[&str]) -> Plan {
    let recipe =
        recipe::parse("format = 1\nname = \"x\"\n[base]\nurl = \"https://h.example/x.qcow2\"\n", "x.toml").unwrap();
    let (digest, size) = (Digest::of(&file()), Some(ByteSize(SIZE as u64)));
    let urls: Vec<_> = sources.iter().map(|source| Source::Url(Url::parse(source).unwrap())).collect();
    let base = lock::Pinned { digest, size, urls, metalink: None };
    let pinned = lock::PinnedInputs { base, others: BTreeMap::new(), images: BTreeMap::new() };
    let lowered = provision::compile(&recipe, &LocalFiles::default(), &provision::pins::PinnedInfo::default()).unwrap();
    let plan = plan::plan(&recipe, &pinned, &LocalFiles::default(), lowered).unwrap();
    assert!(matches!(plan.pinned().next(), Some((_, Origin::Pinned { gate: Some(BaseKind::Qcow2), .. }))));
    plan
}

/// Brings the inputs of a plan; what was told on the way is added to `told`.
fn bring(store: &Store<'_>, proxy: &Proxy, sources: &[&str], told: &Mutex<Vec<Event>>) -> Result<Realised, Diagnostic> {
    let http = Http::new(quick(proxy.clone()));
    let context = BuildContext {
        store,
        fetch: &http,
        beside: &RecipeDir::Embedded(&[]),
        rewrite: &|source| vec![source.clone()],
        events: &|event| told.lock().unwrap().push(event),
        version: "test",
        largest: ByteSize::gib(1),
    };
    realise_inputs(&planned(sources), &context)
}

/// Leaves the first bytes of the file in the store, as a run that was cut short does.
fn keep_a_part(store: &Store<'_>) {
    let cut = Behaviour { framing: Framing::Length, stop: Stop::CloseAfter(KEPT), ..HONEST };
    let server = Server::one(file(), &[cut, Behaviour::status("404 Gone")]);
    bring(store, &Proxy::Never, &[&server.url("/file")], &Mutex::default()).unwrap_err();
    assert_eq!(std::fs::read(partial(store.dir())).unwrap(), file()[..KEPT]);
}

fn partial(store: &Path) -> PathBuf {
    store.join("tmp").join(format!("partial-{}", Digest::of(&file())))
}

/// Every file in the store that is no part of its form, by name.
fn contents(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { contents(&path, found) } else { found.push(path) }
    }
}

/// Demands that the store holds the file and nothing else, or but a part of it that may be continued.
fn check_store(store: &Store<'_>, whole: bool, row: &Row) -> Result<(), String> {
    let digest = Digest::of(&file());
    let object = store.find(&digest).map_err(|problem| format!("{problem:?}"))?;
    if object.is_some() != whole {
        return Err(format!("the object's being there is {}", object.is_some()));
    }
    if object.is_some_and(|object| std::fs::read(store.path(&object)).unwrap() != file()) {
        return Err("the object has other bytes".into());
    }
    let report = store.verify_and(Repair::No).map_err(|problem| format!("{problem:?}"))?;
    if (report.objects, report.damaged.len()) != (usize::from(whole), 0) {
        return Err(format!("verify: {report:?}"));
    }
    let mut found = vec![];
    contents(store.dir(), &mut found);
    let part = partial(store.dir());
    for path in &found {
        let name = path.strip_prefix(store.dir()).unwrap().to_str().unwrap();
        let is_form = ["CACHEDIR.TAG", "meta.json", "lock"].contains(&name);
        let is_part = !whole && (*path == part || *path == part.with_extension("etag"));
        let is_object = whole && (name.starts_with("objects-v1/") || name.starts_with("stamps-v1/"));
        if !is_form && !is_part && !is_object {
            return Err(format!("{name} lies in the store"));
        }
    }
    let kept = std::fs::read(&part).unwrap_or_default();
    if kept.len() > SIZE || (!row.poisons && !file().starts_with(&kept)) {
        return Err(format!("kept {} bytes that are no part of the file", kept.len()));
    }
    Ok(())
}

/// Demands that nothing said shows a secret or what a terminal must not see, and that who failed is named.
fn check_talk(stage: &Stage, failed: bool, told: &[Event], problem: Option<&Diagnostic>) -> Result<(), String> {
    let facts = problem.into_iter().flat_map(|problem| problem.facts.iter().map(|(_, value)| value));
    let mut texts: Vec<String> =
        facts.cloned().chain(problem.into_iter().flat_map(Diagnostic::causes).map(str::to_owned)).collect();
    texts.extend(problem.map(ToString::to_string));
    let mut warnings = vec![];
    for event in told {
        match event {
            Event::Warning { text } | Event::Told { text } => warnings.push(text.clone()),
            Event::Fetched { what, from, .. } => texts.extend([what.clone(), from.clone()]),
            Event::Started { what, .. } | Event::Finished { what } | Event::Progress { what, .. } => {
                texts.push(what.clone())
            }
            Event::Reused { .. } | Event::Built { .. } | Event::Waiting { .. } => {}
        }
    }
    let whole = format!("{texts:?} {warnings:?} {told:?} {problem:?}");
    if whole.contains("canary") || whole.contains("dXNlcj") {
        return Err(format!("a secret was shown: {whole}"));
    }
    if let Some(text) = texts.iter().chain(&warnings).find(|text| text.chars().any(is_unsafe)) {
        return Err(format!("not fit for a terminal: {text:?}"));
    }
    // The address without what it hides; redirects may have led further along it.
    let shown = Url::parse(&stage.source).unwrap().to_string();
    let shown = shown.trim_start_matches("file://").trim_end_matches("?***");
    let full = problem.map(|problem| format!("{problem:?}")).unwrap_or_default();
    let named = match problem {
        Some(_) => full.contains(shown),
        None => warnings.iter().any(|text| text.contains("trying the next address") && text.contains(shown)),
    };
    if failed && !named {
        return Err(format!("`{shown}` is not named: {problem:?} {warnings:?}"));
    }
    Ok(())
}

/// Demands that the row was met as its way wants it, and that the client asked as it should.
fn check_requests(row: &Row, way: Way, stage: &Stage) -> Result<(), String> {
    for request in stage.honest.requests() {
        if request.headers.contains_key("authorization") {
            return Err("our credentials reached another server".into());
        }
    }
    let asked: Vec<_> = stage.liar.as_ref().map(Server::requests).unwrap_or_default();
    for request in asked.iter().filter(|request| request.method == "GET") {
        if request.headers.get("accept-encoding").is_none_or(|coding| coding != "identity") {
            return Err(format!("asked for another coding: {request:?}"));
        }
    }
    let is_file = matches!(row.liar, Liar::Path(_));
    if way == Way::Proxied && stage.relay.as_ref().is_none_or(|relay| relay.targets().is_empty()) != is_file {
        return Err("the proxy was not used as it should".into());
    }
    let first = asked.first().filter(|first| first.method == "GET");
    if let (Some(first), Way::Resumed) = (first, way) {
        let range = first.headers.get("range").map(String::as_str);
        if range != Some("bytes=4000-") || !first.headers.contains_key("if-range") {
            return Err(format!("the first request does not resume: {first:?}"));
        }
    }
    Ok(())
}

/// Meets one row in one way.
fn judge(row: &Row, way: Way) -> Result<(), String> {
    let dir = workdir();
    let nobody = |_| ();
    let store = Store::open_with(&dir.path().join("cache"), patient(Duration::from_secs(5)), &nobody).unwrap();
    if way == Way::Resumed {
        keep_a_part(&store);
    }
    let stage = Stage::set(row, way, dir.path());
    let sources: &[&str] = if way == Way::Second { &[&stage.source, &stage.second] } else { &[&stage.source] };
    let (told, begun) = (Mutex::default(), Instant::now());
    let result = bring(&store, &stage.proxy, sources, &told);
    let took = begun.elapsed();
    let expected = match way {
        Way::Fresh => row.fresh,
        Way::Resumed => row.resumed,
        Way::Second => Ends::Whole,
        Way::Proxied => row.proxied,
    };
    let ended = result.as_ref().map_or_else(|problem| Ends::With(problem.code), |_| Ends::Whole);
    if ended != expected {
        return Err(format!("ended {ended:?}, not {expected:?}: {:?} {told:?}", result.err()));
    }
    if took > DEADLINE {
        return Err(format!("took {took:?}"));
    }
    let failed = if way == Way::Second { row.fresh != Ends::Whole } else { ended != Ends::Whole };
    check_talk(&stage, failed, &told.into_inner().unwrap(), result.as_ref().err())?;
    check_requests(row, way, &stage)?;
    if result.as_ref().is_err_and(|problem| !format!("{problem:?}").contains(row.says)) {
        return Err(format!("does not say {:?}: {:?}", row.says, result.err()));
    }
    check_store(&store, ended == Ends::Whole, row)?;
    // Once the cause is gone the same store serves: what was kept is no poison.
    bring(&store, &Proxy::Never, &[&stage.honest.url("/file")], &Mutex::default())
        .map_err(|problem| format!("afterwards: {problem:?}"))?;
    check_store(&store, true, row).map_err(|why| format!("afterwards: {why}"))
}

/// Meets all rows in all ways, and says how many on the terminal.
fn meet(family: &str, rows: &[Row]) {
    let all: Vec<_> = rows.iter().flat_map(|row| WAYS.map(|way| (row, way))).collect();
    let (wrong, next, begun) = (Mutex::new(vec![]), AtomicUsize::new(0), Instant::now());
    let work = || {
        while let Some((row, way)) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
            let judged = std::panic::catch_unwind(|| judge(row, *way)).unwrap_or_else(|_| Err("panicked".into()));
            if let Err(why) = judged {
                wrong.lock().unwrap().push(format!("{} ({way:?}): {why}", row.name));
            }
        }
    };
    thread::scope(|scope| (0..LANES).for_each(|_| drop(scope.spawn(work))));
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} are wrong\n{}", wrong.len(), all.len(), wrong.join("\n"));
    tell(&format!(
        "{family}: {} behaviours x {} ways in {:.1} s",
        rows.len(),
        WAYS.len(),
        begun.elapsed().as_secs_f32()
    ));
}

fn tell(line: &str) {
    use std::io::Write;
    // Not println!, which the harness swallows when a test passes.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

#[test]
fn net_01_truncated_bodies_are_resumed_and_never_taken_for_whole() {
    meet("net-1, net-16", &table::truncations());
}

#[test]
fn net_02_false_lengths_are_told_and_capped() {
    meet("net-2", &table::lengths());
}

#[test]
fn net_03_to_net_06_only_a_fitting_range_is_continued() {
    meet("net-3 to net-6", &table::ranges());
}

#[test]
fn net_06_net_10_to_net_13_and_net_17_pages_codings_and_names_come_to_nothing() {
    meet("net-6, net-10 to net-13, net-17", &table::pages());
}

#[test]
fn net_07_and_net_18_endless_silent_and_garbled_answers_end_in_time() {
    meet("net-7, net-18", &table::silence());
}

#[test]
fn net_08_passing_refusals_are_waited_for_and_final_ones_are_not() {
    meet("net-8", &table::refusals());
}

#[test]
fn net_09_redirects_are_bounded() {
    meet("net-9", &table::redirects());
}

#[test]
fn net_14_wrong_certificates_and_handshakes_are_refused() {
    meet("net-14", &table::tls());
}

#[test]
fn net_15_and_net_16_proxies_that_lie_and_hosts_that_are_not_there_are_told() {
    meet("net-15, net-16", &table::proxies());
}

#[test]
fn net_19_a_file_address_leads_to_a_regular_file_or_nowhere() {
    meet("net-19", &table::paths());
}

#[test]
fn net_13_when_every_mirror_lies_each_is_named_and_the_digest_decides() {
    let dir = workdir();
    let nobody = |_| ();
    let store = Store::open(&dir.path().join("cache"), &nobody).unwrap();
    let liars = [
        Server::one(vec![7; SIZE], &[]),
        Server::one(file(), &[Behaviour::status("404 Not Found")]),
        Server::one(vec![8; SIZE], &[]),
    ];
    let urls = liars.each_ref().map(|liar| liar.url("/file"));
    let sources = urls.each_ref().map(String::as_str);
    let problem = bring(&store, &Proxy::Never, &sources, &Mutex::default()).unwrap_err();
    assert_eq!(problem.code, crate::base::Code::Hash, "{problem:?}");
    for (url, liar) in urls.iter().zip(&liars) {
        assert!(problem.causes().any(|cause| cause.contains(url.as_str())), "{url} is not named: {problem:?}");
        assert_eq!(liar.hits("/file"), 1, "{url} was asked twice");
    }
    assert!(store.find(&Digest::of(&file())).unwrap().is_none());
    assert_eq!(store.verify_and(Repair::No).unwrap().objects, 0);
}

#[test]
fn the_table_is_as_large_as_promised_and_has_every_row() {
    let rows = table::all();
    let names: std::collections::BTreeSet<_> = rows.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows.len(), "a name stands twice");
    assert!(rows.len() >= 60 && WAYS.len() == 4);
    for number in 1..=19 {
        let begins = format!("net-{number} ");
        assert!(names.iter().any(|name| name.starts_with(&begins)), "no row of NET-{number}");
    }
    tell(&format!("network matrix: {} behaviours x {} ways = {}", rows.len(), WAYS.len(), rows.len() * WAYS.len()));
}
