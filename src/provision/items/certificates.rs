//! Certificates that the guest trusts. Touches nothing.
//!
//! openSUSE makes its trust store from what lies in `/etc/pki/trust/anchors`. In a snapshot that is being made
//! `update-ca-certificates` only leaves a mark, `/etc/pki/trust/.updated`; at the next boot `ca-certificates.path` sees
//! the mark and has the store made anew (openSUSE/ca-certificates: update-ca-certificates, ca-certificates.path).

use super::context::{Context, content_place};
use super::settings::enable;
use crate::base::text::count;
use crate::base::{Code, Diagnostic, Location, Spanned};
use crate::format::pem::{self, PemError};
use crate::provision::diagnostics::DiagnosticSink;
use crate::provision::engines::choice::Feature;
use crate::provision::guest::{GuestFile, Task};
use crate::recipe::CaCertificate;

const ANCHORS: &str = "/etc/pki/trust/anchors";
const WATCHER: &str = "ca-certificates.path";

/// Adds the certificates.
pub(crate) fn certificates(cx: &mut Context<'_>) {
    let rows = &cx.recipe.provision.certificates;
    for row in rows {
        certificate(row, cx);
    }
    let Some(first) = rows.first() else { return };
    cx.outputs.guest(Feature::Certificates).tasks.push(Task::TrustStore(first.place.clone()));
    enable(cx, Feature::Certificates, WATCHER, &first.place);
}

fn certificate(row: &Spanned<CaCertificate>, cx: &mut Context<'_>) {
    let Spanned { value: CaCertificate { name, content }, place } = row;
    let Some(bytes) = cx.bytes(content) else { return };
    match pem::certificates(&bytes) {
        Ok(number) => {
            cx.outputs.record(Feature::Certificates, format!("{} as {name}", count(number, "CA certificate")));
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let file = GuestFile::new(format!("{ANCHORS}/{name}.pem"), text, 0o644, place);
            cx.outputs.guest(Feature::Certificates).files.push(file);
        }
        Err(error) => refuse(name.as_str(), &error, content_place(content, place), &mut cx.diag),
    }
}

fn refuse(name: &str, error: &PemError, place: &Location, diag: &mut DiagnosticSink) {
    if let PemError::Private(line) = error {
        let headline = format!("a private key stands in line {line} of the certificate `{name}`");
        return diag.refuse_secret(
            place,
            headline,
            "name the file of the certificate alone, and consider the key lost",
        );
    }
    let problem =
        Diagnostic::new(Code::Provision, format!("`{name}` is not a CA certificate in PEM")).at(place.clone());
    diag.refuse(problem.cause(error.clone()).hint("it begins with `-----BEGIN CERTIFICATE-----`"));
}
