//! Certificates that the guest trusts. Touches nothing.
//!
//! openSUSE makes its trust store from what lies in `/etc/pki/trust/anchors`. In a snapshot that is being made
//! `update-ca-certificates` only leaves a mark, `/etc/pki/trust/.updated`; at the next boot `ca-certificates.path` sees
//! the mark and has the store made anew (openSUSE/ca-certificates: update-ca-certificates, ca-certificates.path). Under
//! Ignition, which runs no command, the mark is written as a file.

use super::settings::{enable, file};
use super::split::{Part, Shares, Side};
use super::told::Told;
use super::wanted::{self, Command, Stage};
use crate::base::text::count;
use crate::base::{Code, Diagnostic, Location, Spanned};
use crate::format::pem::{self, PemError};
use crate::recipe::{CaCertificate, Content, LocalFiles, Recipe};

const ANCHORS: &str = "/etc/pki/trust/anchors";
/// The next boot takes it away.
pub(crate) const MARK: &str = "/etc/pki/trust/.updated";
const WATCHER: &str = "ca-certificates.path";

const UPDATE: &str = "
# Makes the trust store anew; in a snapshot it leaves a mark, by which the next boot does it.
update-ca-certificates
";

/// Checks the certificates and writes them.
pub(crate) fn certificates(recipe: &Recipe, files: &LocalFiles, shares: &mut Shares, told: &mut Told) {
    let side = shares.side(Part::Certificates);
    for row in &recipe.provision.certificates {
        certificate(recipe, row, files, (shares, side), told);
    }
    let Some(first) = recipe.provision.certificates.first() else { return };
    match side {
        Side::Ignition => shares.ignition.files.push(file(MARK, String::new(), 0o644, &first.place)),
        Side::Combustion => {
            let text = UPDATE.to_owned();
            shares.combustion.commands.push(Command { stage: Stage::Last, text });
        }
    }
    enable(recipe, shares, side, WATCHER, &first.place);
}

fn certificate(
    recipe: &Recipe,
    row: &Spanned<CaCertificate>,
    files: &LocalFiles,
    (shares, side): (&mut Shares, Side),
    told: &mut Told,
) {
    let Spanned { value: CaCertificate { name, content }, place } = row;
    let Some(bytes) = wanted::bytes(recipe, content, files, told) else { return };
    let at = if let Content::Path(path) = content { &path.place } else { place };
    let number = match pem::certificates(&bytes) {
        Ok(number) => number,
        Err(error) => return refuse(name.as_str(), &error, at, told),
    };
    shares.account(Part::Certificates, side, format!("{} as {name}", count(number, "CA certificate")), "");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    shares.on(side).files.push(file(&format!("{ANCHORS}/{name}.pem"), text, 0o644, place));
}

fn refuse(name: &str, error: &PemError, place: &Location, told: &mut Told) {
    if let PemError::Private(line) = error {
        let headline = format!("a private key stands in line {line} of the certificate `{name}`");
        return told.refuse_secret(
            place,
            headline,
            "name the file of the certificate alone, and consider the key lost",
        );
    }
    let problem = Diagnostic::new(Code::Provision, format!("`{name}` is no CA certificate in PEM")).at(place.clone());
    told.refuse(problem.cause(error.clone()).hint("it begins with `-----BEGIN CERTIFICATE-----`"));
}
