//! What a recipe says of the guest's settings: one value each. Touches nothing.

use std::ops::Deref;

use super::table::{FromValue, KeyType, table};
use super::types::{HostName, KernelArgument, Keymap, Locale, ProxyException, TimeServer, TimeZone};
use crate::base::{Spanned, Url};
use crate::format::toml::{Table, Value};

table! {
    /// The keys of `[provision]` that are one value each.
    #[derive(Default)]
    Settings in "provision" {
        /// at most 64 characters, as RFC 1123 says
        hostname: Option<Spanned<HostName>> = "the guest's",
        /// such as Europe/Berlin
        timezone: Option<Spanned<TimeZone>> = "the guest's",
        /// such as en_US.UTF-8
        locale: Option<Spanned<Locale>> = "the guest's",
        /// the console's keyboard, such as us
        keymap: Option<Spanned<Keymap>> = "the guest's",
        /// time servers that take the place of the image's own
        ntp: Vec<Spanned<TimeServer>> = "the guest's",
        /// what the guest reaches the web through
        proxy: Option<Spanned<Proxy>>,
        /// added to the kernel's command line where they are not there yet
        kernel_arguments: Vec<Spanned<KernelArgument>>,
    }
}

impl Settings {
    /// Returns whether any of them is set.
    pub(crate) fn is_set(&self) -> bool {
        *self != Self::default()
    }
}

table! {
    /// `[provision.proxy]`; an address may carry a user and password.
    Proxy in "provision.proxy" {
        /// URL of the proxy for http; or `https`
        http: Option<ProxyUrl>,
        /// URL of the proxy for https; or `http`
        https: Option<ProxyUrl>,
        /// hosts and domains that are reached without it
        no_proxy: Option<Vec<ProxyException>> = "localhost, 127.0.0.1",
    }
    check check_proxy
}

fn check_proxy(table: &Table<'_>, _: &Proxy) {
    if !table.has("http") && !table.has("https") && !table.document.is_broken() {
        table.document.tell(table.problem("the proxy has neither `http` nor `https`").hint("add one of them"));
    }
}

/// The address of a proxy, which holds nothing that a shell acts upon between double quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProxyUrl(Url);

impl Deref for ProxyUrl {
    type Target = Url;

    fn deref(&self) -> &Url {
        &self.0
    }
}

impl FromValue for ProxyUrl {
    const KIND: KeyType = KeyType::Text;

    /// No complaint shows any of it: a password may stand there.
    fn from_value(value: &Value<'_>) -> Option<Self> {
        let text = value.line()?;
        let key = value.key();
        if text.contains(['$', '`', '"', '\'', '\\']) {
            let hint = "write $ as %24, ` as %60, \" as %22, ' as %27, \\ as %5C";
            value.refuse(format!("`{key}` holds a character that the guest's login shells would act upon"), hint);
            return None;
        }
        let is_proxy = |url: &Url| url.is_remote() && url.path() == "/" && !text.contains(['?', '#']);
        let url = Url::parse(text).ok().filter(is_proxy);
        if url.is_none() {
            let hint = "write it like \"http://proxy.example.org:3128\", without a path; in a password write @ as %40, : as %3A, / as %2F";
            value.refuse(format!("`{key}` is not the address of a proxy"), hint);
        }
        url.map(Self)
    }
}
