//! Broken recipes, one mistake each: code, place and words.

use super::*;

/// Name · text (after [`HEAD`] where it begins with a line end) · code and place · part of the headline · part of the hint.
pub(super) type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

pub(super) fn check(cases: &[Case]) {
    for (name, text, at, headline, hint) in cases {
        let text = text.strip_prefix('\n').map_or((*text).to_owned(), |rest| format!("{HEAD}{rest}"));
        let found = problems(&text);
        let all: Vec<String> = found.iter().map(told).collect();
        assert_eq!(found.len(), 1, "{name}: {all:#?}");
        let told = &all[0];
        assert!(told.starts_with(&format!("{at} ")), "{name}: {told}");
        assert!(found[0].headline.contains(headline), "{name}: {told}");
        assert!(found[0].hint.as_deref().unwrap_or("-").contains(hint), "{name}: {told}");
        assert!(!found[0].headline.ends_with('.') && !told.contains('\n'), "{name}: {told}");
    }
}

#[rustfmt::skip]
const TOP: &[Case] = &[
    ("no name", "format = 1\n[base]\nurl = \"b.qcow2\"\n", "E_RECIPE 1:1+1", "`name` is missing from the file", "add `name = \"nas\"`"),
    ("newer format", "format = 2\nnmae = 1\n", "E_RECIPE 1:10+1", "the recipe is written in format 2, this program reads format 1", "use a version of arca-build newer than 0.1.0"),
    ("format zero", "format = 0\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n", "E_RECIPE 1:10+1", "`format` must be 1, this is 0", "-"),
    ("format as text", "format = \"1\"\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n", "E_RECIPE 1:10+3", "`format` must be a whole number, this is text", "write the number without quotes"),
    ("misspelt key", "nmae = \"x\"\nformat = 1\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n", "E_RECIPE 1:1+4", "unknown key `nmae`", "did you mean `name`?"),
    ("key of another table", "memory = \"1GiB\"\nformat = 1\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n", "E_RECIPE 1:1+6", "unknown key `memory`", "`memory` belongs in `[machine]`"),
    ("key of nothing", "zebra = 1\nformat = 1\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n", "E_RECIPE 1:1+5", "unknown key `zebra`", "known here: format, name, description, epoch,"),
    ("key twice", "name = \"x\"\nformat = 1\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n", "E_RECIPE 3:1+4", "`name` is written twice", "-"),
    ("name with a slash", "format = 1\nname = \"a/b\"\n[base]\nurl = \"b.qcow2\"\n", "E_RECIPE 2:8+5", "`name`: a name is 1 to 63 characters of A-Z a-z 0-9 . _ - and", "-"),
    ("name is a date", "format = 1\nname = 1979-05-27\n[base]\nurl = \"b.qcow2\"\n", "E_RECIPE 2:8+10", "`name` must be text, this is a date or time", "dates and times have no place here; write text"),
    ("name empty", "format = 1\nname = \"\"\n[base]\nurl = \"b.qcow2\"\n", "E_RECIPE 2:8+2", "`name` is empty", "-"),
    ("description with NUL", "description = \"a\\u0000b\"\nformat = 1\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n", "E_RECIPE 1:15+10", "`description` holds the character U+0000", "-"),
    ("description with an escape", "description = \"a\\u001b[31m\"\nformat = 1\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n", "E_RECIPE 1:15+13", "`description` holds the character U+001B", "-"),
    ("epoch before FAT", "epoch = 0\nformat = 1\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n", "E_RECIPE 1:9+1", "`epoch` must be 315532800 to 4354819198, this is 0", "-"),
    ("epoch negative", "epoch = -1\nformat = 1\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n", "E_RECIPE 1:9+2", "`epoch` must be 315532800 to 4354819198, this is -1", "-"),
    ("epoch beyond 2^63", "epoch = 9223372036854775808\nformat = 1\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n", "E_RECIPE 1:9+19", "`epoch` must be 315532800 to 4354819198, this is", "-"),
    ("epoch a date", "epoch = 1980-01-01T00:00:00Z\nformat = 1\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n", "E_RECIPE 1:9+20", "`epoch` must be a whole number, this is a date or time", "dates and times have no place here; write text"),
    ("base is text", "format = 1\nname = \"t\"\nbase = \"b.qcow2\"\n", "E_RECIPE 3:8+9", "`base` must be a table, `[base]`, this is text", "-"),
    ("base missing", "format = 1\nname = \"t\"\n", "E_RECIPE 1:1+1", "`base` is missing from the file", "add `[base]` with a `url`"),
    ("unterminated string", "format = 1\nname = \"t\n", "E_RECIPE 2:10+1", "not TOML: invalid basic string, expected `\"`", "-"),
    ("byte order mark", "\u{feff}format = 1\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n", "E_RECIPE 1:1+1", "the character U+FEFF may not stand in this file", "save the file as UTF-8 without a byte order mark"),
    ("direction mark in a comment", "format = 1\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n# \u{202e} evil\n", "E_RECIPE 5:3+1", "the character U+202E may not stand in this file", "remove it: it is invisible, or changes how the"),
    ("lone CR", "format = 1\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n# a\rb\n", "E_RECIPE 5:4+1", "the character U+000D may not stand in this file", "remove it: it is invisible, or changes how the"),
    ("control character", "format = 1\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n# a\u{1}\n", "E_RECIPE 5:4+1", "the character U+0001 may not stand in this file", "remove it: it is invisible, or changes how the"),
];

#[rustfmt::skip]
const BASE: &[Case] = &[
    ("no url", "format = 1\nname = \"t\"\n[base]\nkind = \"iso\"\n[machine.system]\nsize = \"1GiB\"\n", "E_RECIPE 3:1+6", "`url` is missing from `[base]`", "add `url = \"https://…/image.qcow2\"`"),
    ("path above", "format = 1\nname = \"t\"\n[base]\nurl = \"../b.qcow2\"\n", "E_INPUT_ESCAPE 4:7+12", "the path `../b.qcow2` leaves the recipe's directory", "name an input elsewhere on this machine by a"),
    ("absolute path", "format = 1\nname = \"t\"\n[base]\nurl = \"/srv/b.qcow2\"\n", "E_INPUT_ESCAPE 4:7+14", "the path `/srv/b.qcow2` leaves the recipe's directory", "name an input elsewhere on this machine by a"),
    ("home path", "format = 1\nname = \"t\"\n[base]\nurl = \"~/b.qcow2\"\n", "E_INPUT_ESCAPE 4:7+11", "the path `~/b.qcow2` leaves the recipe's directory", "name an input elsewhere on this machine by a"),
    ("dot path", "format = 1\nname = \"t\"\n[base]\nurl = \"./b.qcow2\"\n", "E_RECIPE 4:7+11", "`./b.qcow2`: a path has no empty or `.` parts and does not end", "write \"b.qcow2\""),
    ("doubled slash", "format = 1\nname = \"t\"\n[base]\nurl = \"a//b.qcow2\"\n", "E_RECIPE 4:7+12", "`a//b.qcow2`: a path has no empty or `.` parts and does not end", "-"),
    ("backslash u newline in url", "format = 1\nname = \"t\"\n[base]\nurl = \"https://h/a\\nb.qcow2\"\n", "E_RECIPE 4:7+22", "`url` holds the character U+000A", "write it in one line, without line ends and tabs"),
    ("space in url", "format = 1\nname = \"t\"\n[base]\nurl = \"https://h/a b.qcow2\"\n", "E_RECIPE 4:7+21", "`url`: a URL holds no spaces or control characters", "write a space as %20"),
    ("ftp", "format = 1\nname = \"t\"\n[base]\nurl = \"ftp://h/b.qcow2\"\n", "E_RECIPE 4:7+17", "`url`: the scheme `ftp` is not one of http, https, file", "fetch the file yourself and name it by its path"),
    ("no host", "format = 1\nname = \"t\"\n[base]\nurl = \"https://b.qcow2\"\n", "E_RECIPE 4:7+17", "the URL names a directory, not a file", "add the name of the file"),
    ("file with host", "format = 1\nname = \"t\"\n[base]\nurl = \"file://host/b.qcow2\"\n", "E_RECIPE 4:7+21", "`url`: not a URL: a file URL names no host: write file:///path", "-"),
    ("directory url", "format = 1\nname = \"t\"\n[base]\nurl = \"https://h/d/\"\n", "E_RECIPE 4:7+14", "the URL names a directory, not a file", "add the name of the file"),
    ("fragment", "format = 1\nname = \"t\"\n[base]\nurl = \"https://h/b.qcow2#x\"\n", "E_RECIPE 4:7+21", "a URL with `#` names a part of a page, not a file", "write the address without `#`, or `#` as %23"),
    ("kind unknown", "format = 1\nname = \"t\"\n[base]\nurl = \"https://h/b.img.xz\"\n", "E_RECIPE 4:7+20", "`b.img.xz` does not tell what kind of image it is", "add `kind = \"qcow2\"`, `kind = \"raw\"` or"),
    ("compression unknown", "format = 1\nname = \"t\"\n[base]\nurl = \"https://h/b.raw.bz2\"\n", "E_RECIPE 4:7+21", "`b.raw.bz2` does not tell what kind of image it is", "of compressed images those in xz, zst and gz"),
    ("compression conflict", "format = 1\nname = \"t\"\n[base]\nurl = \"https://h/b.raw.xz\"\ncompression = \"gz\"\n", "E_RECIPE 5:15+4", "`compression` says gz, the name of the base says xz", "remove `compression`, or correct `url`"),
    ("compression denied", "format = 1\nname = \"t\"\n[base]\nurl = \"https://h/b.raw.xz\"\ncompression = \"none\"\n", "E_RECIPE 5:15+6", "`compression` says none, the name of the base says xz", "remove `compression`, or correct `url`"),
    ("compression word", "\ncompression = \"zstd\"\n", "E_RECIPE 5:15+6", "`compression` cannot be `zstd`", "did you mean \"zst\"?"),
    ("kind under compression", "format = 1\nname = \"t\"\n[base]\nurl = \"https://h/b.raw.xz\"\nkind = \"qcow2\"\n", "E_RECIPE 5:8+7", "`kind` says qcow2, the name of the base says raw", "remove `kind`, or correct `url`"),
    ("unpacked size of a plain file", "\nunpacked_size = \"1GiB\"\n", "E_RECIPE 5:17+6", "`unpacked_size` is for a compressed base", "write `size`, or say what `compression` it has"),
    ("unpacked size too large", "format = 1\nname = \"t\"\n[base]\nurl = \"https://h/b.raw.xz\"\nunpacked_size = \"2TiB\"\n", "E_RECIPE 5:17+6", "`unpacked_size` must be 1B to 1TiB, this is 2TiB", "-"),
    ("kind word", "\nkind = \"qcow\"\n", "E_RECIPE 5:8+6", "`kind` cannot be `qcow`", "did you mean \"qcow2\"?"),
    ("kind conflict", "\nkind = \"iso\"\n", "E_RECIPE 5:8+5", "`kind` says iso, the name of the base says qcow2", "remove `kind`, or correct `url`"),
    ("md5", "\nsha256 = \"d41d8cd98f00b204e9800998ecf8427e\"\n", "E_RECIPE 5:10+34", "`sha256`: a sha256 digest is 64 hexadecimal digits, this has 32", "this has the length of an MD5 sum; `sha256sum"),
    ("upper-case digest", "\nsha256 = \"E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3\"\n", "E_RECIPE 5:10+66", "`sha256`: a sha256 digest is written in lower-case hexadecimal", "write"),
    ("prefixed digest", "\nsha256 = \"sha256:e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3\"\n", "E_RECIPE 5:10+73", "`sha256`: a sha256 digest is written in lower-case hexadecimal", "write"),
    ("empty digest", "\nsha256 = \"\"\n", "E_RECIPE 5:10+2", "`sha256`: a sha256 digest is 64 hexadecimal digits, this has 0", "leave it out and let `arca-build update` pin"),
    ("digest of other digits", "\nsha256 = \"٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣\"\n", "E_RECIPE 5:10+34", "`sha256`: a sha256 digest is written in lower-case hexadecimal", "leave it out and let `arca-build update` pin"),
    ("size a number", "\nsize = 585000000\n", "E_RECIPE 5:8+9", "`size` must be a size: a number and a unit in quotes, like", "-"),
    ("size zero", "\nsize = \"0B\"\n", "E_RECIPE 5:8+4", "`size` must be 1B to 16TiB, this is 0B", "-"),
    ("mirror twice", "format = 1\nname = \"t\"\n[base]\nurl = \"https://h/b.qcow2\"\nmirrors = [\"https://m/b.qcow2\", \"https://m/b.qcow2\"]\n", "E_RECIPE 5:33+19", "this address is named twice", "remove one of them"),
    ("mirror is the base", "format = 1\nname = \"t\"\n[base]\nurl = \"https://h/b.qcow2\"\nmirrors = [\"https://h/b.qcow2\"]\n", "E_RECIPE 5:12+19", "this address is named twice", "remove one of them"),
    ("mirrors as text", "format = 1\nname = \"t\"\n[base]\nurl = \"https://h/b.qcow2\"\nmirrors = \"https://m/b.qcow2\"\n", "E_RECIPE 5:11+19", "`mirrors` must be a list, this is text", "put it in brackets: [ \"…\" ]"),
    ("mirrors of a path", "\nmirrors = [\"https://m/b.qcow2\"]\n", "E_RECIPE 5:11+21", "an input beside the recipe has no mirrors", "remove `mirrors`"),
];

#[rustfmt::skip]
const MACHINE: &[Case] = &[
    ("arch", "\n[machine]\narch = \"amd64\"\n", "E_RECIPE 6:8+7", "`arch` cannot be `amd64`", "one of: x86_64, aarch64"),
    ("misspelt memory", "\n[machine]\nmemroy = \"1GiB\"\n", "E_RECIPE 6:1+6", "unknown key `memroy` in `[machine]`", "did you mean `memory`?"),
    ("memory in GB", "\n[machine]\nmemory = \"2GB\"\n", "E_RECIPE 6:10+5", "`memory`: `GB` means different sizes to different tools; write", "write a size like \"512MiB\" or \"30GiB\""),
    ("memory a number", "\n[machine]\nmemory = 2048\n", "E_RECIPE 6:10+4", "`memory` must be a size: a number and a unit in quotes, like", "-"),
    ("memory too small", "\n[machine]\nmemory = \"1MiB\"\n", "E_RECIPE 6:10+6", "`memory` must be 16MiB to 16TiB, this is 1MiB", "-"),
    ("memory no whole MiB", "\n[machine]\nmemory = \"16385KiB\"\n", "E_RECIPE 6:10+10", "`memory` is not a multiple of 1MiB", "write \"17MiB\""),
    ("vcpus zero", "\n[machine]\nvcpus = 0\n", "E_RECIPE 6:9+1", "`vcpus` must be 1 to 1024, this is 0", "-"),
    ("vcpus text", "\n[machine]\nvcpus = \"2\"\n", "E_RECIPE 6:9+3", "`vcpus` must be a whole number, this is text", "write the number without quotes"),
    ("vcpus huge", "\n[machine]\nvcpus = 99999999999999999999999999999999999999999\n", "E_RECIPE 6:9+41", "`vcpus` must be 1 to 1024, this is", "-"),
    ("bios on aarch64", "\n[machine]\narch = \"aarch64\"\nfirmware = \"bios\"\n", "E_RECIPE 7:12+6", "an aarch64 machine has no BIOS", "write firmware = \"uefi\", or remove the line"),
    ("bare network", "\n[machine]\nnetwork = \"default\"\n", "E_RECIPE 6:11+9", "`network` cannot be `default`", "a libvirt network is written \"network:default\","),
    ("mac of many", "\n[machine]\nmac = \"53:54:00:00:00:01\"\n", "E_RECIPE 6:7+19", "`mac`: a MAC address is six pairs of hexadecimal digits like", "write the card's address, or leave the key out"),
    ("mac without a card", "\n[machine]\nnetwork = \"none\"\nmac = \"52:54:00:00:00:01\"\n", "E_RECIPE 7:7+19", "`mac` is the address of a network card, and this machine has", "remove `mac`"),
    ("ports without passt", "\n[machine]\nnetwork = \"user\"\nports = [\"2222:22\"]\n", "E_RECIPE 7:9+11", "`ports` are forwarded by passt alone", "write network = \"passt\", or remove `ports`"),
    ("a port as qemu has it", "\n[machine]\nnetwork = \"passt\"\nports = [\"tcp::2222-:22\"]\n", "E_RECIPE 7:10+15", "`ports`: a forwarded port is [ADDRESS:]HOST:GUEST[/tcp|/udp]", "write it like \"2222:22\" or \"127.0.0.1:8080:80/tcp\""),
    ("a port twice", "\n[machine]\nnetwork = \"passt\"\nports = [\"127.0.0.1:80:80\", \"80:8080\"]\n", "E_RECIPE 7:29+9", "port 80 of the host is forwarded twice", "-"),
    ("the host's processor in emulation", "\n[machine]\naccel = \"tcg\"\ncpu = \"host-model\"\n", "E_RECIPE 7:7+12", "emulation has no `host-model`", "write cpu = \"maximum\", or accel = \"kvm\""),
    ("processors that do not add up", "\n[machine]\nvcpus = 3\n[machine.topology]\ncores = 2\n", "E_RECIPE 7:1+18", "the topology makes 2 processors, and `vcpus` says otherwise", "write vcpus = 2, or leave `vcpus` out"),
    ("processors without end", "\n[machine.topology]\ncores = 1024\nthreads = 1024\nsockets = 1024\n", "E_RECIPE 5:1+18", "the topology makes more than 1024 processors", "-"),
    ("less memory at most", "\n[machine]\nmemory = \"2GiB\"\nmax_memory = \"1GiB\"\n", "E_RECIPE 7:14+6", "`max_memory` is less than the memory, 2GiB", "it is the most that `memory` may grow to"),
    ("secure boot by a bios", "\n[machine]\nsecure_boot = true\n", "E_RECIPE 6:15+4", "secure boot is UEFI's, and this machine has a BIOS", "add firmware = \"uefi\""),
    ("secure boot on aarch64", "\n[machine]\narch = \"aarch64\"\nsecure_boot = true\n", "E_RECIPE 7:15+4", "there is no secure boot for aarch64", "remove `secure_boot`"),
    ("an edit of the uuid", "\n[[machine.xml]]\nparent = \".\"\nelement = \"<uuid>x</uuid>\"\n", "E_RECIPE 5:1+15", "the edit is refused: `uuid` is not to be changed: it follows", "-"),
    ("an edit of a disk", "\n[[machine.xml]]\nparent = \"devices/disk\"\nelement = \"<serial>x</serial>\"\n", "E_RECIPE 5:1+15", "the edit is refused: `devices/disk` is not to be changed: disks", "-"),
    ("an edit with an entity", "\n[[machine.xml]]\nparent = \"devices\"\nelement = \"<hub type='&x;'/>\"\n", "E_RECIPE 7:12+17", "`element` is refused: not well-formed XML: at 1..2: unrecognized", "-"),
    ("an edit with an error in its third line", "\n[[machine.xml]]\nparent = \"devices\"\nelement = '''\n<hub>\n  <!-- x -->\n</hub>'''\n", "E_RECIPE 9:3+10", "`element` is refused: only elements, attributes and text are", "-"),
    ("an edit that matches nothing", "\n[[machine.xml]]\nparent = \"devices\"\nelement = \"<hub type='usb'/>\"\naction = \"replace\"\nmatch = \"x\"\n", "E_RECIPE 5:1+15", "the edit is refused: the element has no attribute of the name", "-"),
    ("watchdog", "\n[machine]\nwatchdog = true\n", "E_RECIPE 6:12+4", "`watchdog` must be text, this is true or false", "put it in quotes"),
    ("long bridge", "\n[machine]\nnetwork = \"bridge:abcdefghijklmnop\"\n", "E_RECIPE 6:11+25", "`network`: the name of a bridge has at most 15 characters", "-"),
    ("network injection", "\n[machine]\nnetwork = \"network:a,b\"\n", "E_RECIPE 6:11+13", "`network`: a name is 1 to 63 characters of A-Z a-z 0-9 . _ -", "-"),
    ("graphics", "\n[machine]\ngraphics = \"vncc\"\n", "E_RECIPE 6:12+6", "`graphics` cannot be `vncc`", "did you mean \"vnc\"?"),
    ("accel a flag", "\n[machine]\naccel = true\n", "E_RECIPE 6:9+4", "`accel` must be text, this is true or false", "put it in quotes"),
    ("osinfo", "\n[machine]\nosinfo = \"linux 2022\"\n", "E_RECIPE 6:10+12", "`linux 2022` is not a short id of libosinfo", "1 to 63 characters of A-Z a-z 0-9 . _ -,"),
    ("relative storage", "\n[machine]\nstorage = \"images\"\n", "E_RECIPE 6:11+8", "`storage`: a storage directory is an absolute path of A-Z a-z", "-"),
    ("system as text", "\n[machine]\nsystem = \"20GiB\"\n", "E_RECIPE 6:10+7", "`system` must be a table, `[machine.system]`, this is text", "-"),
    ("system size odd", "\n[machine.system]\nsize = \"1048577B\"\n", "E_RECIPE 6:8+10", "`size` is not a multiple of 512B", "write \"1049088B\""),
    ("system size huge", "\n[machine.system]\nsize = \"65TiB\"\n", "E_RECIPE 6:8+7", "`size` must be 1MiB to 64TiB, this is 65TiB", "-"),
    ("iso without size", "format = 1\nname = \"t\"\n[base]\nurl = \"b.iso\"\n", "E_RECIPE 4:7+7", "the size of the system disk is missing: the ISO installs onto it", "add `size = \"24GiB\"` to `[machine.system]`"),
    ("iso with mode", "format = 1\nname = \"t\"\n[base]\nurl = \"b.iso\"\n[machine.system]\nsize = \"24GiB\"\nmode = \"overlay\"\n", "E_RECIPE 7:8+9", "`mode` has no meaning for an ISO: it installs onto an empty disk", "remove `mode`"),
    ("iso with an empty system table", "format = 1\nname = \"t\"\n[base]\nurl = \"b.iso\"\n[machine.system]\n", "E_RECIPE 5:1+16", "the size of the system disk is missing: the ISO installs onto it", "add `size = \"24GiB\"` to `[machine.system]`"),
    ("one disk table", "\n[machine.disk]\nserial = \"a\"\nsize = \"1GiB\"\n", "E_RECIPE 5:1+14", "`disk` must be a list of tables, each begun with", "begin each with two brackets, like `[[…]]`"),
    ("disk without size", "\n[[machine.disk]]\nserial = \"a\"\n", "E_RECIPE 5:1+16", "`size` is missing from `[[machine.disk]]`", "add `size = \"30GiB\"`"),
    ("serial too long", "\n[[machine.disk]]\nserial = \"abcdefghijklmnopqrstu\"\nsize = \"1GiB\"\n", "E_RECIPE 6:10+23", "`serial`: a serial is 1 to 20 characters of A-Z a-z 0-9 _ -,", "-"),
    ("serial reserved", "\n[[machine.disk]]\nserial = \"System\"\nsize = \"1GiB\"\n", "E_RECIPE 6:10+8", "the serial `System` is taken by a disk of every machine", "name data disks data1, data2, …"),
    ("serial twice", "\n[[machine.disk]]\nserial = \"a\"\nsize = \"1GiB\"\n[[machine.disk]]\nserial = \"A\"\nsize = \"1GiB\"\n", "E_RECIPE 9:10+3", "the serial `A` is given twice (upper and lower case count as", "-"),
    ("line end in an inline table", "\n[machine]\nsystem = { size = \"1GiB\",\n mode = \"overlay\" }\n", "E_RECIPE 6:26+1", "a line end inside `{ }` is TOML 1.1, this file is read as TOML", "other readers of this file (Nix, Python) would"),
    ("comma at the end of an inline table", "\n[machine]\nsystem = { size = \"1GiB\", }\n", "E_RECIPE 6:25+1", "a comma before `}` is TOML 1.1, this file is read as TOML 1.0", "other readers of this file (Nix, Python) would"),
];

#[rustfmt::skip]
const PROVISION: &[Case] = &[
    ("engine", "\n[provision]\nengine = \"cloud-init\"\n", "E_RECIPE 6:10+12", "`engine` cannot be `cloud-init`", "one of: auto, ignition, combustion"),
    ("transport of an engine", "\n[provision]\ntransport = { ignition = \"dsk\" }\n", "E_RECIPE 6:26+5", "`ignition` cannot be `dsk`", "did you mean \"disk\"?"),
    ("transport of another engine", "\n[provision]\ntransport = { combusti0n = \"disk\" }\n", "E_RECIPE 6:15+10", "unknown key `combusti0n` in `[provision.transport]`", "did you mean `combustion`?"),
    ("engine of old", "\n[provision]\nengine = \"both\"\n", "E_RECIPE 6:10+6", "`engine` cannot be `both` any more", "write engine = \"auto\"; the plan is the same"),
    ("transport of nobody", "\n[provision]\nengine = \"ignition\"\ntransport = { combustion = \"disk\" }\n", "E_RECIPE 7:13+23", "`transport` says disk for combustion, but the engine is ignition", "remove `combustion`, or write engine = \"auto\""),
    ("transport that is not a word", "\n[provision]\ntransport = 1\n", "E_RECIPE 6:13+1", "`transport` must be text", "put it in quotes"),
    ("script with ignition", "\n[provision]\nengine = \"ignition\"\nscript = \"s\"\n", "E_RECIPE 7:10+3", "`script` is a Combustion script, but the engine is ignition", "write engine = \"combustion\" or engine = \"auto\""),
    ("config with combustion", "\n[provision]\nengine = \"combustion\"\nconfig = \"c.ign\"\n", "E_RECIPE 7:10+7", "`config` is an Ignition config, but the engine is combustion", "write engine = \"ignition\" or engine = \"auto\""),
    ("side files alone", "\n[provision]\nside_files = [\"x\"]\n", "E_RECIPE 6:14+5", "`side_files` lie beside a script, and there is none", "add `script`, or remove `side_files`"),
    ("side file below another", "\n[provision]\nengine = \"auto\"\nscript = \"s\"\nside_files = [\"p/one\", \"P\"]\n", "E_RECIPE 8:24+3", "`P` is taken: side files and `script` lie in one folder", "rename one; upper and lower case count as one"),
    ("side file below the script", "\n[provision]\nengine = \"auto\"\nscript = \"s\"\nside_files = [\"script/one\"]\n", "E_RECIPE 8:15+12", "`script/one` is taken", "rename one"),
    ("side files that collide", "\n[provision]\nengine = \"auto\"\nscript = \"a/s\"\nside_files = [\"a/x\", \"b/X\"]\n", "E_RECIPE 8:22+5", "`X` is taken: side files and `script` lie in one folder", "rename one; upper and lower case count as one"),
    ("side file named script", "\n[provision]\nengine = \"auto\"\nscript = \"a/s\"\nside_files = [\"a/script\"]\n", "E_RECIPE 8:15+10", "`script` is taken: side files and `script` lie in one folder", "rename one; upper and lower case count as one"),
    ("config above", "\n[provision]\nconfig = \"../c.ign\"\n", "E_INPUT_ESCAPE 6:10+10", "the path `../c.ign` leaves the recipe's directory", "put the file beside the recipe"),
    ("gpt of nothing", "\n[provision]\nmedia = \"gpt\"\n", "E_RECIPE 6:9+5", "`media = \"gpt\"` without anything to provision: the stick would", "remove `media`"),
    ("transport", "\n[provision]\ntransport = \"fw-cfg\"\n", "E_RECIPE 6:13+8", "`transport` cannot be `fw-cfg`", "did you mean \"fw_cfg\"?"),
    ("password", "\n[provision.root]\npassword = \"hunter2\"\n", "E_SECRET 6:12+9", "`password` in `[provision.root]` would put a password in plain", "make a hash with `arca-build passwd` and write"),
    ("password of a user", "\n[[provision.user]]\nname = \"a\"\npasswd = \"hunter2\"\n", "E_SECRET 7:10+9", "`passwd` in `[[provision.user]]` would put a password in plain", "make a hash with `arca-build passwd` and write"),
    ("misspelt hash", "\n[provision.root]\npasword_hash = \"hunter2\"\n", "E_RECIPE 6:1+12", "unknown key `pasword_hash` in `[provision.root]`", "did you mean `password_hash`?"),
    ("hash a number", "\n[provision.root]\npassword_hash = 12345\n", "E_RECIPE 6:17+5", "`password_hash` must be text, this is a whole number", "put it in quotes"),
    ("hash with a line end", "\n[provision.root]\npassword_hash = \"hunter2\\n\"\n", "E_RECIPE 6:17+11", "`password_hash` holds the character U+000A", "write it in one line, without line ends and tabs"),
    ("ssh keys as text", "\n[provision.root]\nssh_keys = \"ssh-ed25519 AAAA\"\n", "E_RECIPE 6:12+18", "`ssh_keys` must be a list, this is text", "put it in brackets: [ \"…\" ]"),
    ("ssh key with a line end", "\n[provision.root]\nssh_keys = [\"ssh-ed25519 AAAA\\n\"]\n", "E_RECIPE 6:13+20", "`ssh_keys` holds the character U+000A", "write it in one line, without line ends and tabs"),
    ("ssh key key", "\n[provision.root]\nssh_key = [\"x\"]\n", "E_RECIPE 6:1+7", "unknown key `ssh_key` in `[provision.root]`", "did you mean `ssh_keys`?"),
    ("user without name", "\n[[provision.user]]\nuid = 1000\n", "E_RECIPE 5:1+18", "`name` is missing from `[[provision.user]]`", "add `name = \"…\"`"),
    ("user name", "\n[[provision.user]]\nname = \"a:b\"\n", "E_RECIPE 6:8+5", "`a:b` is not the name of a user or group", "1 to 32 characters of a-z 0-9 _ -"),
    ("user name in upper case", "\n[[provision.user]]\nname = \"Bob\"\n", "E_RECIPE 6:8+5", "`Bob` is not the name of a user or group", "that begin with a letter or _"),
    ("user name with a dot", "\n[[provision.user]]\nname = \"a.b\"\n", "E_RECIPE 6:8+5", "`a.b` is not the name of a user or group", "a-z 0-9 _ -"),
    ("group in upper case", "\n[[provision.group]]\nname = \"Nas\"\n", "E_RECIPE 6:8+5", "`Nas` is not the name of a user or group", "a-z 0-9 _ -"),
    ("owner in upper case", "\n[[provision.directory]]\npath = \"/etc/a\"\nuser = \"Arca\"\n", "E_RECIPE 7:8+6", "`Arca` is not the name of a user or group", "a-z 0-9 _ -"),
    ("owner of a file in upper case", "\n[[provision.file]]\npath = \"/etc/a\"\ntext = \"\"\nuser = \"Bob\"\n", "E_RECIPE 8:8+5", "`Bob` is not the name of a user or group", "a-z 0-9 _ -"),
    ("user twice", "\n[[provision.user]]\nname = \"a\"\n[[provision.user]]\nname = \"a\"\n", "E_RECIPE 8:8+3", "`a` is there twice", "join the two"),
    ("user root", "\n[[provision.user]]\nname = \"root\"\n", "E_RECIPE 6:8+6", "root is not a further user", "write `[provision.root]`"),
    ("uid", "\n[[provision.user]]\nname = \"a\"\nuid = 4294967295\n", "E_RECIPE 7:7+10", "`uid` must be 1 to 4294967294, this is 4294967295", "-"),
    ("group", "\n[[provision.user]]\nname = \"a\"\ngroups = [\"w,x\"]\n", "E_RECIPE 7:11+5", "`w,x` is not the name of a user or group", "1 to 32 characters of a-z 0-9 _ -"),
    ("group twice", "\n[[provision.user]]\nname = \"a\"\ngroups = [\"g\", \"g\"]\n", "E_RECIPE 7:16+3", "`g` is there twice in `groups`", "keep one of them"),
    ("shell", "\n[[provision.user]]\nname = \"a\"\nshell = \"bash\"\n", "E_RECIPE 7:9+6", "`bash` is not an absolute path in the guest", "begin with `/`, without empty, `.` or `..`"),
    ("gecos", "\n[[provision.user]]\nname = \"a\"\ngecos = \"a:b\"\n", "E_RECIPE 7:9+5", "`a:b` is not a full name", "separates the fields of /etc/passwd"),
    ("file path relative", "\n[[provision.file]]\npath = \"etc/x\"\ntext = \"\"\n", "E_RECIPE 6:8+7", "`etc/x` is not an absolute path in the guest", "begin with `/`, without empty, `.` or `..`"),
    ("file path with dots", "\n[[provision.file]]\npath = \"/etc/../x\"\ntext = \"\"\n", "E_RECIPE 6:8+11", "`/etc/../x` is not an absolute path in the guest", "begin with `/`, without empty, `.` or `..`"),
    ("file twice", "\n[[provision.file]]\npath = \"/a\"\ntext = \"\"\n[[provision.file]]\npath = \"/a\"\ntext = \"\"\n", "E_RECIPE 9:8+4", "`/a` is there twice", "join the two"),
    ("file without content", "\n[[provision.file]]\npath = \"/a\"\n", "E_RECIPE 5:1+18", "the file has neither `text` nor `source` nor `url`", "for an empty file add `text = \"\"`"),
    ("file with both", "\n[[provision.file]]\npath = \"/a\"\ntext = \"\"\nsource = \"x\"\n", "E_RECIPE 8:10+3", "`text` and `source` are both given", "keep one of them"),
    ("file with NUL", "\n[[provision.file]]\npath = \"/a\"\ntext = \"\\u0000\"\n", "E_RECIPE 7:8+8", "`text` holds the character U+0000", "put such bytes in a file beside the recipe and"),
    ("source above", "\n[[provision.file]]\npath = \"/a\"\nsource = \"../x\"\n", "E_INPUT_ESCAPE 7:10+6", "the path `../x` leaves the recipe's directory", "put the file beside the recipe"),
    ("mode decimal", "\n[[provision.file]]\npath = \"/a\"\ntext = \"\"\nmode = 644\n", "E_RECIPE 8:8+3", "`mode` is octal text in quotes: a number here is decimal, so", "write mode = \"0644\""),
    ("mode octal number", "\n[[provision.file]]\npath = \"/a\"\ntext = \"\"\nmode = 0o644\n", "E_RECIPE 8:8+5", "`mode` is octal text in quotes", "write mode = \"0644\""),
    ("mode not octal", "\n[[provision.file]]\npath = \"/a\"\ntext = \"\"\nmode = \"0888\"\n", "E_RECIPE 8:8+6", "`0888` is not a mode", "three or four octal digits, like \"0644\""),
    ("unit name", "\n[[provision.unit]]\nname = \"a\"\nenable = true\n", "E_RECIPE 6:8+3", "`a` is not the name of a systemd unit", "it ends in .service, .timer, .mount, …"),
    ("unit says nothing", "\n[[provision.unit]]\nname = \"a.service\"\n", "E_RECIPE 5:1+18", "the unit `a.service` would change nothing", "add `enable`, `mask`, `text`, `source` or a"),
    ("unit twice", "\n[[provision.unit]]\nname = \"a.service\"\nenable = true\n[[provision.unit]]\nname = \"a.service\"\nenable = true\n", "E_RECIPE 9:8+11", "`a.service` is there twice", "join the two"),
    ("enable as text", "\n[[provision.unit]]\nname = \"a.service\"\nenable = \"true\"\n", "E_RECIPE 7:10+6", "`enable` must be true or false, this is text", "write true or false without quotes"),
    ("drop-in name", "\n[[provision.unit]]\nname = \"a.service\"\n[[provision.unit.dropin]]\nname = \"x\"\ntext = \"\"\n", "E_RECIPE 8:8+3", "`x` is not the name of a drop-in", "it ends in .conf and holds no `/`"),
    ("drop-in without content", "\n[[provision.unit]]\nname = \"a.service\"\n[[provision.unit.dropin]]\nname = \"x.conf\"\n", "E_RECIPE 7:1+25", "the drop-in has neither `text` nor `source`", "add `text`"),
    ("drop-in twice", "\n[[provision.unit]]\nname = \"a.service\"\n[[provision.unit.dropin]]\nname = \"x.conf\"\ntext = \"\"\n[[provision.unit.dropin]]\nname = \"x.conf\"\ntext = \"\"\n", "E_RECIPE 11:8+8", "`x.conf` is there twice", "join the two"),
    ("escape of TOML 1.1", "\n[[provision.file]]\npath = \"/a\"\ntext = \"\\x41\"\n", "E_RECIPE 7:9+2", "the escape `\\x` is TOML 1.1, this file is read as TOML 1.0", "other readers of this file (Nix, Python) would"),
];

#[rustfmt::skip]
const CARRIED: &[Case] = &[
    ("file with text and url", "\n[[provision.file]]\npath = \"/a\"\ntext = \"\"\nurl = \"https://h/x\"\n", "E_RECIPE 8:7+13", "`text` and `url` are both given", "keep one of them"),
    ("file with source and url", "\n[[provision.file]]\npath = \"/a\"\nsource = \"x\"\nurl = \"https://h/x\"\n", "E_RECIPE 8:7+13", "`source` and `url` are both given", "keep one of them"),
    ("pin of a text", "\n[[provision.file]]\npath = \"/a\"\ntext = \"\"\nsha256 = \"0000000000000000000000000000000000000000000000000000000000000000\"\n", "E_RECIPE 8:10+66", "`sha256` requires `url`", "add `url`, or remove it"),
    ("mirrors of a text", "\n[[provision.file]]\npath = \"/a\"\ntext = \"\"\nmirrors = []\n", "E_RECIPE 8:11+2", "`mirrors` requires `url`", "add `url`, or remove it"),
    ("file url above", "\n[[provision.file]]\npath = \"/a\"\nurl = \"../x\"\n", "E_INPUT_ESCAPE 7:7+6", "the path `../x` leaves the recipe's directory", "name an input elsewhere on this machine by a"),
    ("file by ftp", "\n[[provision.file]]\npath = \"/a\"\nurl = \"ftp://h/x\"\n", "E_RECIPE 7:7+11", "`url`: the scheme `ftp` is not one of http, https, file", "fetch the file yourself and name it by its path"),
    ("file url with a fragment", "\n[[provision.file]]\npath = \"/a\"\nurl = \"https://h/x#y\"\n", "E_RECIPE 7:7+15", "a URL with `#` names a part of a page, not a file", "write the address without `#`, or `#` as %23"),
    ("file with an MD5 sum", "\n[[provision.file]]\npath = \"/a\"\nurl = \"https://h/x\"\nsha256 = \"00000000000000000000000000000000\"\n", "E_RECIPE 8:10+34", "`sha256`", "this has the length of an MD5 sum;"),
    ("file of no size", "\n[[provision.file]]\npath = \"/a\"\nurl = \"https://h/x\"\nsize = \"0B\"\n", "E_RECIPE 8:8+4", "`size` must be 1B to 16TiB, this is 0B", "-"),
    ("unit by url", "\n[[provision.unit]]\nname = \"a.service\"\nurl = \"https://h/x\"\nenable = true\n", "E_RECIPE 7:1+3", "unknown key `url` in `[[provision.unit]]`", "`url` belongs in"),
    ("rpm without url", "\n[provision]\nengine = \"combustion\"\n[[provision.rpm]]\nsize = \"1B\"\n", "E_RECIPE 7:1+17", "`url` is missing from `[[provision.rpm]]`", "add `url ="),
    ("rpm of another ending", "\n[provision]\nengine = \"combustion\"\n[[provision.rpm]]\nurl = \"https://h/x.deb\"\n", "E_RECIPE 8:7+17", "`x.deb` is not the file name of a package", "it ends in .rpm"),
    ("rpm named like an option", "\n[provision]\nengine = \"combustion\"\n[[provision.rpm]]\nurl = \"https://h/-e.rpm\"\n", "E_RECIPE 8:7+18", "`-e.rpm` is not the file name of a package", "it ends in .rpm"),
    ("rpm with an escape", "\n[provision]\nengine = \"combustion\"\n[[provision.rpm]]\nurl = \"https://h/libstdc%2B%2B.rpm\"\n", "E_RECIPE 8:7+29", "`libstdc%2B%2B.rpm` is not the file name of a package", "write %2B as +"),
    ("rpm that a shell would run", "\n[provision]\nengine = \"combustion\"\n[[provision.rpm]]\nurl = \"https://h/$(id).rpm\"\n", "E_RECIPE 8:7+21", "`$(id).rpm` is not the file name of a package", "it ends in .rpm"),
    ("rpms of one name", "\n[provision]\nengine = \"combustion\"\n[[provision.rpm]]\nurl = \"https://h/a.rpm\"\n[[provision.rpm]]\nurl = \"https://g/A.rpm\"\n", "E_RECIPE 10:7+17", "two packages have the file name `A.rpm`", "upper and lower case count as one"),
    ("rpm twice", "\n[provision]\nengine = \"combustion\"\n[[provision.rpm]]\nurl = \"https://h/a.rpm\"\n[[provision.rpm]]\nurl = \"https://h/a.rpm\"\n", "E_RECIPE 10:7+17", "two packages have the file name `a.rpm`", "keep one of them"),
    ("container without name", "\n[[provision.container]]\nurl = \"https://h/a.tar\"\n", "E_RECIPE 5:1+23", "`name` is missing from `[[provision.container]]`", "add `name ="),
    ("container without url", "\n[[provision.container]]\nname = \"a\"\n", "E_RECIPE 5:1+23", "`url` is missing from `[[provision.container]]`", "add `url ="),
    ("container name", "\n[[provision.container]]\nname = \"../a\"\nurl = \"https://h/a.tar\"\n", "E_RECIPE 6:8+6", "`name`: a name is 1 to 63 characters of A-Z a-z 0-9 . _ - and", "-"),
    ("container twice", "\n[[provision.container]]\nname = \"a\"\nurl = \"https://h/a.tar\"\n[[provision.container]]\nname = \"a\"\nurl = \"https://h/b.tar\"\n", "E_RECIPE 9:8+3", "`a` is there twice", "join the two"),
    ("container before nothing", "\n[[provision.container]]\nname = \"a\"\nurl = \"https://h/a.tar\"\nbefore = [\"web.container\"]\n", "E_RECIPE 8:11+15", "`web.container` is not the name of a systemd unit", "that of `x.container` is `x.service`"),
    ("image and url", "\n[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b:1\"\nurl = \"https://h/a.tar\"\n", "E_RECIPE 7:9+15", "`image` and `url` are both given", "keep one of them"),
    ("image with a digest beside it", "\n[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b:1\"\nsize = \"1MiB\"\n", "E_RECIPE 8:8+6", "`size` requires `url`", "add `url`, or remove it"),
    ("image by a short name", "\n[[provision.container]]\nname = \"a\"\nimage = \"busybox\"\n", "E_RECIPE 7:9+9", "`busybox` is not an image: the registry is missing", "write \"docker.io/library/busybox\""),
    ("image without a tag", "\n[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b\"\n", "E_RECIPE 7:9+13", "`latest` is never guessed", "write \"quay.io/a/b:latest\""),
    ("image with an escape", "\n[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a b:1\"\n", "E_RECIPE 7:9+15", "`a b` is not the name of a repository", "write it like"),
    ("ports of an archive", "\n[[provision.container]]\nname = \"a\"\nurl = \"https://h/a.tar\"\nports = [\"80:80\"]\n", "E_RECIPE 8:9+9", "`ports` needs `image`", "write the quadlet yourself with `text`"),
    ("ports and a quadlet", "\n[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b:1\"\ntext = \"x\"\nports = [\"80:80\"]\n", "E_RECIPE 9:9+9", "the recipe has one of its own", "write it there"),
    ("text and source of a quadlet", "\n[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b:1\"\ntext = \"x\"\nsource = \"y\"\n", "E_RECIPE 9:10+3", "`text` and `source` are both given", "keep one of them"),
    ("port that is none", "\n[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b:1\"\nports = [\"80:80\", \"http\"]\n", "E_RECIPE 8:19+6", "`http` is not a port to publish", "write it like \"8080:80\""),
    ("volume without a target", "\n[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b:1\"\nvolumes = [\"/srv\"]\n", "E_RECIPE 8:12+6", "`/srv` is not a volume: it is not a source, a target", "write it like"),
    ("volume with a relative source", "\n[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b:1\"\nvolumes = [\"./srv:/data\"]\n", "E_RECIPE 8:12+13", "the source is neither an absolute path", "write it like"),
    ("volume up and away", "\n[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b:1\"\nvolumes = [\"/srv/../etc:/data\"]\n", "E_RECIPE 8:12+19", "the source is neither an absolute path", "write it like"),
    ("volume that systemd expands", "\n[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b:1\"\nvolumes = [\"/srv/%H:/data\"]\n", "E_RECIPE 8:12+15", "give one of its characters a meaning", "write it like"),
    ("volume of another quadlet", "\n[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b:1\"\nvolumes = [\"x.volume:/data\"]\n", "E_RECIPE 8:12+16", "the source is neither an absolute path", "write it like"),
    ("variable without value", "\n[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b:1\"\nenvironment = [\"hunter2\"]\n", "E_RECIPE 8:16+9", "an entry of `environment` has no `=`", "write \"NAME=value\""),
    ("variable without name", "\n[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b:1\"\nenvironment = [\"1A=hunter2\"]\n", "E_RECIPE 8:16+12", "is not a name", "no digit first"),
    ("variable twice", "\n[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b:1\"\nenvironment = [\"A=1\", \"A=2\"]\n", "E_RECIPE 8:23+5", "`A` is there twice in `environment`", "keep one of them"),
    ("auto_start as text", "\n[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b:1\"\nauto_start = \"no\"\n", "E_RECIPE 8:14+4", "`auto_start` must be true or false", "without quotes"),
    ("serial of the payload disk", "\n[[machine.disk]]\nserial = \"Arca-Payload\"\nsize = \"1GiB\"\n", "E_RECIPE 6:10+14", "the serial `Arca-Payload` is taken by a disk of every machine", "name data disks data1, data2, …"),
];

#[rustfmt::skip]
const STORAGE: &[Case] = &[
    ("mount of /dev/vdb", "\n[[provision.mount]]\npath = \"/srv/m\"\nwhat = \"/dev/vdb\"\n", "E_RECIPE 7:8+10", "`/dev/vdb` is whichever disk the guest finds first, not always the same", "by its serial, or by LABEL=, UUID="),
    ("mount of /dev/sda1", "\n[[provision.mount]]\npath = \"/srv/m\"\nwhat = \"/dev/sda1\"\n", "E_RECIPE 7:8+11", "`/dev/sda1` is whichever disk the guest finds first, not always the same", "by its serial, or by LABEL=, UUID="),
    ("mount of /dev/nvme0n1", "\n[[provision.mount]]\npath = \"/srv/m\"\nwhat = \"/dev/nvme0n1\"\n", "E_RECIPE 7:8+14", "`/dev/nvme0n1` is whichever disk the guest finds first, not always the same", "by its serial, or by LABEL=, UUID="),
    ("mount of /dev/mmcblk0p2", "\n[[provision.mount]]\npath = \"/srv/m\"\nwhat = \"/dev/mmcblk0p2\"\n", "E_RECIPE 7:8+16", "`/dev/mmcblk0p2` is whichever disk the guest finds first, not always the same", "by its serial, or by LABEL=, UUID="),
    ("mount of a share", "\n[[provision.mount]]\npath = \"/srv/m\"\nwhat = \"nas:/export\"\n", "E_RECIPE 7:8+13", "`nas:/export` does not name a device by what it is", "is mounted by a unit in `[[provision.unit]]`"),
    ("mount of a label with a space", "\n[[provision.mount]]\npath = \"/srv/m\"\nwhat = \"LABEL=a b\"\n", "E_RECIPE 7:8+11", "`LABEL=a b` does not name a device by what it is", "LABEL=, UUID="),
    ("mount that climbs", "\n[[provision.mount]]\npath = \"/srv/m\"\nwhat = \"/dev/disk/by-id/..\"\n", "E_RECIPE 7:8+20", "does not name a device by what it is", "LABEL="),
    ("mount of two", "\n[[provision.mount]]\npath = \"/srv/m\"\nwhat = \"LABEL=a\"\nserial = \"a\"\n", "E_RECIPE 8:10+3", "`what` and `serial` are both given", "keep one of them"),
    ("mount of nothing", "\n[[provision.mount]]\npath = \"/srv/m\"\n", "E_RECIPE 5:1+19", "`what` is missing from `[[provision.mount]]`", "or `serial = \"data1\"` for a disk of the machine"),
    ("mount by a moving serial", "\n[[provision.mount]]\npath = \"/srv/m\"\nserial = \"/dev/sdb\"\n", "E_RECIPE 7:10+10", "is whichever disk the guest finds first", "name it by its serial"),
    ("mount of a long serial", "\n[[provision.mount]]\npath = \"/srv/m\"\nserial = \"abcdefghijklmnopqrstu\"\n", "E_RECIPE 7:10+23", "`serial`: a serial is 1 to 20 characters", "-"),
    ("mount at a relative path", "\n[[provision.mount]]\nwhat = \"LABEL=a\"\npath = \"srv\"\n", "E_RECIPE 7:8+5", "`srv` is not a mount point", "an absolute path"),
    ("mount with a quote", "\n[[provision.mount]]\nwhat = \"LABEL=a\"\npath = \"/srv/a'b\"\n", "E_RECIPE 7:8+10", "`/srv/a'b` is not a mount point", "without quotes and backslashes"),
    ("mount with a space at the end", "\n[[provision.mount]]\nwhat = \"LABEL=a\"\npath = \"/srv/a \"\n", "E_RECIPE 7:8+9", "is not a mount point", "beginning or ending with a space"),
    ("mount option list in one", "\n[[provision.mount]]\npath = \"/srv/m\"\nwhat = \"LABEL=a\"\noptions = [\"ro,noatime\"]\n", "E_RECIPE 8:12+12", "`ro,noatime` cannot be a mount option here", "one option without commas"),
    ("mount option of fstab", "\n[[provision.mount]]\npath = \"/srv/m\"\nwhat = \"LABEL=a\"\noptions = [\"nofail\"]\n", "E_RECIPE 8:12+8", "`nofail` cannot be a mount option here", "the guest boots without the device anyway"),
    ("mount option for systemd", "\n[[provision.mount]]\npath = \"/srv/m\"\nwhat = \"LABEL=a\"\noptions = [\"x-systemd.automount\"]\n", "E_RECIPE 8:12+21", "cannot be a mount option here", "it means something in /etc/fstab only"),
    ("mount type", "\n[[provision.mount]]\npath = \"/srv/m\"\nwhat = \"LABEL=a\"\ntype = \"btrfs \"\n", "E_RECIPE 8:8+8", "is not a type of file system", "like \"btrfs\""),
    ("mount without path", "\n[[provision.mount]]\nwhat = \"LABEL=a\"\n", "E_RECIPE 5:1+19", "`path` is missing from `[[provision.mount]]`", "add `path ="),
    ("pool without disks", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\n", "E_RECIPE 5:1+18", "`disks` is missing from `[[provision.pool]]`", "add `disks ="),
    ("pool of no disk", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = []\n", "E_RECIPE 8:9+2", "a pool has at least one disk", "list serials of `[[machine.disk]]`"),
    ("pool of a moving disk", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = [\"/dev/vdb\"]\n", "E_RECIPE 8:10+10", "`/dev/vdb` is whichever disk the guest finds first", "name it by its serial"),
    ("pool with a disk twice", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = [\"a\", \"A\"]\n", "E_RECIPE 8:15+3", "the disk `A` is a member twice", "a disk is in one pool, once"),
    ("two pools with one disk", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\n[[provision.pool]]\nlabel = \"B\"\npath = \"/srv/b\"\ndisks = [\"a\"]\n", "E_RECIPE 12:10+3", "the disk `a` is a member twice", "a disk is in one pool, once"),
    ("pool twice", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/b\"\ndisks = [\"b\"]\n", "E_RECIPE 10:9+6", "`Arca` is there twice", "join the two"),
    ("pool labelled ROOT", "\n[[provision.pool]]\nlabel = \"ROOT\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\n", "E_RECIPE 6:9+6", "the label `ROOT` is taken by a file system", "choose another"),
    ("pool labelled ignition", "\n[[provision.pool]]\nlabel = \"ignition\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\n", "E_RECIPE 6:9+10", "the label `ignition` is taken by a file system", "choose another"),
    ("pool labelled Combustion", "\n[[provision.pool]]\nlabel = \"Combustion\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\n", "E_RECIPE 6:9+12", "the label `Combustion` is taken by a file system", "choose another"),
    ("pool label that a shell would run", "\n[[provision.pool]]\nlabel = \"$(id)\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\n", "E_RECIPE 6:9+7", "`label`: a name is 1 to 63 characters", "-"),
    ("pool profile", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\ndata = \"raid5\"\n", "E_RECIPE 9:8+7", "`data` cannot be `raid5`", "did you mean \"raid"),
    ("pool profile of nothing", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\nmetadata = \"mirror\"\n", "E_RECIPE 9:12+8", "`metadata` cannot be `mirror`", "one of: single, dup, raid0, raid1, raid1c3, raid1c4, raid10"),
    ("pool mounted degraded", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\noptions = [\"degraded\"]\n", "E_RECIPE 9:12+10", "`degraded` cannot be an option of a pool", "is told of, not mounted"),
    ("pool option subvol", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\noptions = [\"subvol=x\"]\n", "E_RECIPE 9:12+10", "`subvol=x` cannot be an option of a pool", "[[provision.pool.subvolume]]"),
    ("pool schedule", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\nscrub = \"mothly\"\n", "E_RECIPE 9:9+8", "`scrub` cannot be `mothly`", "did you mean \"monthly\"?"),
    ("pool schedule never", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\nbalance = \"x\"\n", "E_RECIPE 9:11+3", "`balance` cannot be `x`", "or a calendar expression like"),
    ("pool schedule with a line of its own", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\nscrub = \"1\\nOnBootSec=1\"\n", "E_RECIPE 9:9+16", "`scrub` holds the character U+000A", "write it in one line"),
    ("pool subvolume a/b", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\n[[provision.pool.subvolume]]\nname = \"a/b\"\n", "E_RECIPE 10:8+5", "`a/b` is not the name of a subvolume", "A-Z a-z 0-9 . _ @ + -"),
    ("pool subvolume ..", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\n[[provision.pool.subvolume]]\nname = \"..\"\n", "E_RECIPE 10:8+4", "`..` is not the name of a subvolume", "A-Z a-z 0-9 . _ @ + -"),
    ("pool subvolume -x", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\n[[provision.pool.subvolume]]\nname = \"-x\"\n", "E_RECIPE 10:8+4", "`-x` is not the name of a subvolume", "A-Z a-z 0-9 . _ @ + -"),
    ("pool subvolume $x", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\n[[provision.pool.subvolume]]\nname = \"$x\"\n", "E_RECIPE 10:8+4", "`$x` is not the name of a subvolume", "A-Z a-z 0-9 . _ @ + -"),
    ("pool subvolume .hid", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\n[[provision.pool.subvolume]]\nname = \".hid\"\n", "E_RECIPE 10:8+6", "`.hid` is not the name of a subvolume", "A-Z a-z 0-9 . _ @ + -"),
    ("pool subvolume twice", "\n[[provision.pool]]\nlabel = \"Arca\"\npath = \"/srv/arca\"\ndisks = [\"a\"]\n[[provision.pool.subvolume]]\nname = \"a\"\n[[provision.pool.subvolume]]\nname = \"a\"\n", "E_RECIPE 12:8+3", "`a` is there twice", "join the two"),
    ("subvolume without path", "\n[[provision.subvolume]]\nnocow = true\n", "E_RECIPE 5:1+23", "`path` is missing from `[[provision.subvolume]]`", "add `path ="),
    ("subvolume twice", "\n[[provision.subvolume]]\npath = \"/srv/s\"\n[[provision.subvolume]]\npath = \"/srv/s\"\n", "E_RECIPE 8:8+8", "`/srv/s` is there twice", "join the two"),
];

#[test]
fn broken_recipes_are_told_with_place_and_way_out_in_the_storage() {
    check(STORAGE);
}

#[test]
fn sec_4_no_line_with_a_variable_is_shown() {
    let text = "[[provision.container]]\nname = \"a\"\nimage = \"quay.io/a/b:1\"\nenvironment = [\n\"A=hunter2\",\n\"hunter2\"]\n";
    let found = problems(&format!("{HEAD}{text}"));
    assert!(found.len() == 1 && !format!("{found:?}").contains("hunter2"), "{found:?}");
}

#[test]
fn broken_recipes_are_told_with_place_and_way_out_in_what_is_carried() {
    check(CARRIED);
}

#[test]
fn broken_recipes_are_told_with_place_and_way_out_in_the_top_level() {
    check(TOP);
}

#[test]
fn broken_recipes_are_told_with_place_and_way_out_in_the_base() {
    check(BASE);
}

#[test]
fn broken_recipes_are_told_with_place_and_way_out_in_the_machine() {
    check(MACHINE);
}

#[test]
fn broken_recipes_are_told_with_place_and_way_out_in_the_provisioning() {
    check(PROVISION);
}

#[test]
fn the_table_is_as_large_as_promised_and_names_no_case_twice() {
    let cases: Vec<&str> =
        [TOP, BASE, MACHINE, PROVISION, CARRIED, STORAGE].into_iter().flatten().map(|case| case.0).collect();
    let names: std::collections::BTreeSet<&str> = cases.iter().copied().collect();
    assert!(cases.len() >= 60 && names.len() == cases.len(), "{}", cases.len());
}
