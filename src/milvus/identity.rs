//! Whether two configurations lead to the same data: named fields compared one by one, addresses by what they reach.

use std::sync::Arc;

use foldhash::HashSet;
use sha2::{Digest, Sha256};

use super::config::{Config, Layer, Origin, Unknown, UnknownWhy, normalise, split_list};

/// The value of an identifying field.
#[derive(Clone, PartialEq, Eq)]
pub enum FieldValue {
    /// Compared literally.
    Text(String),
    /// Endpoints, as written: compared as a set, by host and port.
    Addresses {
        /// As written, one per element.
        written: Vec<String>,
        /// The port of those that name none.
        default_port: u16,
    },
    /// Compared, never shown.
    Secret(String),
}

impl std::fmt::Debug for FieldValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.shown())
    }
}

impl FieldValue {
    /// The value as a report may show it.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            FieldValue::Text(text) => text.clone(),
            FieldValue::Addresses { written, .. } => written.join(","),
            FieldValue::Secret(_) => "***".to_owned(),
        }
    }
}

/// One field that identifies a queue or a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The configuration key, as Milvus documents it.
    pub name: &'static str,
    /// Its value; the image's published default where nothing sets it.
    pub value: FieldValue,
    /// Where it is set; `None` for the image's default.
    pub origin: Option<Origin>,
}

/// What a comparison of two identities found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Nothing differs.
    Same,
    /// Some endpoints were added or removed, and at least one is in both.
    MembersChanged {
        /// The field they stand in.
        field: &'static str,
        /// In the proposed only, as written.
        added: Vec<String>,
        /// In the current only, as written.
        removed: Vec<String>,
    },
    /// The first field that leads elsewhere. The values are fit to be shown.
    Different {
        /// The field; the name a report gives it.
        field: &'static str,
        /// The current value; empty when there is no such field.
        current: String,
        /// The proposed value; empty when there is no such field.
        proposed: String,
    },
}

/// Compares two lists of fields, both of one release in `namespace` (short Service names are resolved in it).
///
/// A difference weighs more than changed members, whatever their order; of several differences the first is told.
#[must_use]
pub fn compare(current: &[Field], proposed: &[Field], namespace: &str) -> Identity {
    let mut members = Identity::Same;
    for field in current {
        let other = proposed.iter().find(|f| f.name == field.name);
        let different = || Identity::Different {
            field: field.name,
            current: field.value.shown(),
            proposed: other.map(|f| f.value.shown()).unwrap_or_default(),
        };
        match (&field.value, other.map(|f| &f.value)) {
            (
                FieldValue::Addresses { written, default_port },
                Some(FieldValue::Addresses {
                    written: there,
                    default_port: port_there,
                }),
            ) => {
                if written == there && default_port == port_there {
                    continue;
                }
                let here = resolved(written, *default_port, namespace);
                let there = resolved(there, *port_there, namespace);
                let (removed, added) = (beyond(&here, &there), beyond(&there, &here));
                if removed.is_empty() && added.is_empty() {
                    continue;
                }
                if removed.len() == here.len() {
                    return different();
                }
                if members == Identity::Same {
                    members = Identity::MembersChanged {
                        field: field.name,
                        added,
                        removed,
                    };
                }
            }
            (FieldValue::Secret(a), Some(FieldValue::Secret(b))) if same_secret(a, b) => {}
            (a, Some(b)) if a == b => {}
            _ => return different(),
        }
    }
    let new = proposed.iter().find(|f| !current.iter().any(|c| c.name == f.name));
    match new {
        Some(field) => Identity::Different {
            field: field.name,
            current: String::new(),
            proposed: field.value.shown(),
        },
        None => members,
    }
}

/// What a state file keeps of an identifying value that it must not show: equal for equal values. Meant for names (the
/// storage account on Azure), not for passwords: a short one could be guessed.
#[must_use]
pub fn digest(text: &str) -> String {
    const ROUNDS: usize = 20_000;
    let mut hash = Sha256::digest(format!("milvus-uplift/state/v1\n{text}"));
    for _ in 0..ROUNDS {
        hash = Sha256::digest(hash);
    }
    let hex: String = hash.iter().take(16).map(|b| format!("{b:02x}")).collect();
    format!("{DIGEST}{hex}")
}

const DIGEST: &str = "***sha256:";

fn same_secret(a: &str, b: &str) -> bool {
    match (a.starts_with(DIGEST), b.starts_with(DIGEST)) {
        (true, false) => a == digest(b),
        (false, true) => digest(a) == b,
        _ => a == b,
    }
}

fn resolved<'w>(written: &'w [String], default_port: u16, namespace: &str) -> Vec<(&'w str, Address)> {
    let each = written.iter();
    each.map(|text| (text.as_str(), Address::parse(text, default_port, namespace)))
        .collect()
}

/// The endpoints, as written, that lead to none of others.
fn beyond(these: &[(&str, Address)], others: &[(&str, Address)]) -> Vec<String> {
    let reached: HashSet<(&str, &Name)> = others.iter().flat_map(|(_, address)| address.places()).collect();
    let missing = these
        .iter()
        .filter(|(_, address)| !address.places().any(|place| reached.contains(&place)));
    missing.map(|(text, _)| (*text).to_owned()).collect()
}

/// An endpoint reduced to what it reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The names it may resolve as: a short Service name is completed by the namespace; `a.b` may be a Service with its
    /// namespace, or a pod below a headless Service.
    hosts: Vec<Name>,
    port: String,
}

/// A name of a host, lower-case, without a cluster domain. The namespace that it ends with is left out, where it is the
/// one in which short names are resolved: many endpoints would repeat it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name {
    text: String,
    in_namespace: bool,
}

impl Name {
    fn whole(text: &str, namespace: &str) -> Name {
        let short = text.strip_suffix(namespace).and_then(|rest| rest.strip_suffix('.'));
        Name {
            text: short.unwrap_or(text).to_owned(),
            in_namespace: short.is_some(),
        }
    }

    fn short(text: &str) -> Name {
        Name {
            text: text.to_owned(),
            in_namespace: true,
        }
    }
}

impl Address {
    /// Reads `host`, `host:port`, `scheme://host:port/path`, `[ipv6]:port`. The scheme gives the port where neither
    /// the text nor the key does.
    #[must_use]
    pub fn parse(text: &str, default_port: u16, namespace: &str) -> Address {
        let text = text.trim();
        if is_hidden(text) {
            return Address {
                hosts: vec![Name::whole(text, namespace)],
                port: String::new(),
            };
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = match authority.strip_prefix('[').and_then(|a| a.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':').unwrap_or_default()),
            None => match authority.rsplit_once(':') {
                Some((host, port)) if !host.contains(':') => (host, port),
                _ => (authority, ""),
            },
        };
        let port = match (port, scheme) {
            ("", "pulsar+ssl") => "6651".to_owned(),
            ("", _) => default_port.to_string(),
            (port, _) => port.to_owned(),
        };
        Address {
            hosts: names(host, namespace),
            port,
        }
    }

    /// Whether both lead to the same place.
    #[must_use]
    pub fn reaches(&self, other: &Address) -> bool {
        self.port == other.port && self.hosts.iter().any(|h| other.hosts.contains(h))
    }

    /// Its port with each of its names: addresses that have one of these in common reach each other.
    fn places(&self) -> impl Iterator<Item = (&str, &Name)> {
        self.hosts.iter().map(|host| (self.port.as_str(), host))
    }
}

/// Whether a value stands for one that cannot be seen ([`Config::as_seen`]).
fn is_hidden(text: &str) -> bool {
    text.starts_with('<')
}

fn names(host: &str, namespace: &str) -> Vec<Name> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let whole = |text: &str| Name::whole(text, namespace);
    let literal = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok();
    if literal || host.is_empty() {
        return vec![whole(&host)];
    }
    // `x.ns.svc` and `x.ns.svc.cluster.local`, whatever the cluster's domain.
    if let Some((name, domain)) = host.split_once(".svc")
        && name.contains('.')
        && (domain.is_empty() || domain.starts_with('.'))
    {
        return vec![whole(name)];
    }
    match host.matches('.').count() {
        0 => vec![Name::short(&host)],
        1 => vec![Name::short(&host), whole(&host)],
        _ => vec![whole(&host)],
    }
}

/// Collects identifying fields out of a configuration, refusing where one cannot be known.
pub(super) struct Fields<'a> {
    config: &'a Config,
    pub(super) fields: Vec<Field>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(config: &'a Config) -> Self {
        Fields {
            config,
            fields: Vec::new(),
        }
    }

    /// The certain value of the first of `keys` that is set (a key and its fallbacks), else `default`.
    pub(super) fn certain(&self, keys: &[&str], default: &str) -> Result<(String, Option<Origin>), Box<Unknown>> {
        for key in keys {
            if let Some(setting) = self.config.certain(key).map_err(|unknown| Box::new(unknown.clone()))? {
                // `certain` has refused a value that cannot be seen.
                let value = setting.value.clone().unwrap_or_default();
                return Ok((value, Some(setting.origin.clone())));
            }
        }
        Ok((default.to_owned(), None))
    }

    pub(super) fn push(&mut self, name: &'static str, value: FieldValue, origin: Option<Origin>) {
        self.fields.push(Field { name, value, origin });
    }

    /// Adds a literal field; an empty value means the default.
    pub(super) fn text(&mut self, name: &'static str, keys: &[&str], default: &str) -> Result<(), Box<Unknown>> {
        let (value, origin) = self.certain(keys, default)?;
        let value = if value.is_empty() { default.to_owned() } else { value };
        self.push(name, FieldValue::Text(value), origin);
        Ok(())
    }

    /// Adds a path: as text, without slashes at its end.
    pub(super) fn path(&mut self, name: &'static str, keys: &[&str], default: &str) -> Result<(), Box<Unknown>> {
        let (value, origin) = self.certain(keys, default)?;
        let value = value.trim_end_matches('/').to_owned();
        self.push(name, FieldValue::Text(value), origin);
        Ok(())
    }

    /// Adds endpoints, separated by commas. `port_key` names the key of the port, which Milvus appends to an address
    /// without any colon.
    pub(super) fn addresses(
        &mut self,
        name: &'static str,
        default: &str,
        port_key: Option<&str>,
        default_port: u16,
    ) -> Result<(), Box<Unknown>> {
        let (value, origin) = self.certain(&[name], default)?;
        let mut written: Vec<String> = split_list(&value).iter().map(|a| without_login(a)).collect();
        if let Some(key) = port_key {
            let (port, _) = self.certain(&[key], &default_port.to_string())?;
            for address in written.iter_mut().filter(|a| !a.contains(':') && !is_hidden(a)) {
                *address = format!("{address}:{}", port.trim());
            }
        }
        if written.is_empty() {
            return Err(unresolvable(format!("{name} is empty"), normalise(name), origin));
        }
        let value = FieldValue::Addresses { written, default_port };
        self.push(name, value, origin);
        Ok(())
    }
}

/// A configuration that is visible and says nothing that could work.
pub(super) fn unresolvable(text: String, key: String, origin: Option<Origin>) -> Box<Unknown> {
    Box::new(Unknown {
        why: UnknownWhy::Unresolvable,
        text,
        key: Some(key),
        origin: origin.unwrap_or(Origin {
            layer: Layer::ImageDefault,
            object: Arc::default(),
            path: String::new(),
        }),
    })
}

/// An endpoint with its login, if it has one, masked: a report shows it.
fn without_login(address: &str) -> String {
    let start = address.find("://").map_or(0, |i| i + 3);
    let end = address[start..].find(['/', '?']).map_or(address.len(), |i| start + i);
    match address[start..end].rfind('@') {
        Some(at) => format!("{}***{}", &address[..start], &address[start + at..]),
        None => address.to_owned(),
    }
}

/// Keys whose values never appear in a report, normalised. Next to them, every key that ends like a secret's
/// ([`SECRET_ENDS`], [`SECRET_WORDS`]).
pub const SECRET_KEYS: &[&str] = &[
    "minioaccesskeyid",
    "miniosecretaccesskey",
    "miniogcpcredentialjson",
    "pulsarauthparams",
    "kafkasaslusername",
    "kafkasaslpassword",
    "kafkassltlskeypassword",
    "kafkassltlskey",
    "etcdauthusername",
    "etcdauthpassword",
    "commonsecuritydefaultrootpassword",
    "commonsecuritysuperusers",
    "credentialapikey",
];

/// How the keys of secrets end, normalised.
const SECRET_ENDS: [&str; 26] = [
    "password",
    "passwd",
    "passphrase",
    "pgpass",
    "pwd",
    "secret",
    "secrets",
    "token",
    "tokens",
    "jwt",
    "bearer",
    "authorization",
    "cookie",
    "authparams",
    "credential",
    "credentials",
    "apikey",
    "accesskey",
    "accesskeyid",
    "secretkey",
    "secretaccesskey",
    "privatekey",
    "encryptionkey",
    "credentialjson",
    "connectionstring",
    "webhookurl",
];

/// The last words of variables that hold a secret: `SIGNING_KEY`, `GITHUB_PAT`, `DB_PASS`, `SENTRY_DSN`, `AZURE_SAS`.
const SECRET_WORDS: [&str; 6] = ["key", "keys", "pass", "pat", "dsn", "sas"];

/// Whether the value of a key (in any spelling) is a secret.
#[must_use]
pub fn is_secret_key(key: &str) -> bool {
    let by_word = key.rsplit_once('_').is_some_and(|(_, last)| {
        let word = last.to_ascii_lowercase();
        SECRET_WORDS.contains(&&*word)
    });
    let key = normalise(key);
    let key = key.strip_prefix("milvusconf").unwrap_or(&key);
    by_word
        || SECRET_KEYS.contains(&key)
        || SECRET_ENDS.iter().any(|end| key.ends_with(end))
        || ["dsn", "sas", "pat"].contains(&key)
        || key.starts_with("credential")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &'static str, value: FieldValue) -> Field {
        Field {
            name,
            value,
            origin: None,
        }
    }

    #[test]
    fn what_only_one_side_names_is_a_difference() {
        let one = || vec![field("bucket", FieldValue::Text("a".into()))];
        let two = || {
            let mut all = one();
            all.push(field("root", FieldValue::Text("b".into())));
            all
        };
        let differs = |current: &str, proposed: &str| Identity::Different {
            field: "root",
            current: current.into(),
            proposed: proposed.into(),
        };
        assert_eq!(compare(&one(), &two(), "ns"), differs("", "b"));
        assert_eq!(compare(&two(), &one(), "ns"), differs("b", ""));
        assert_eq!(compare(&two(), &two(), "ns"), Identity::Same);
    }

    #[test]
    fn a_secret_is_shown_nowhere() {
        let shown = format!(
            "{:?}",
            [FieldValue::Secret("hunter2".into()), FieldValue::Text("a".into())]
        );
        assert_eq!(shown, "[***, a]");
    }

    #[test]
    fn an_address_is_its_hosts_and_its_port() {
        for (text, host, port) in [
            ("broker:9092", Name::short("broker"), "9092"),
            ("broker", Name::short("broker"), "6650"),
            ("[fe80::1]:9092", Name::whole("fe80::1", "ns"), "9092"),
            ("[fe80::1]", Name::whole("fe80::1", "ns"), "6650"),
            ("fe80::1", Name::whole("fe80::1", "ns"), "6650"),
        ] {
            let address = Address::parse(text, 6650, "ns");
            assert_eq!((&address.hosts[0], address.port.as_str()), (&host, port), "{text}");
        }
    }

    #[test]
    fn a_name_is_the_same_with_its_namespace_and_without() {
        let parsed = |text: &str, namespace: &str| Address::parse(text, 1, namespace);
        for (a, b, namespace, same) in [
            ("a", "a.ns", "ns", true),
            ("a", "a.ns.svc", "ns", true),
            ("a.ns", "a.ns.svc.cluster.local", "ns", true),
            ("a.b", "a.b.ns.svc", "ns", true),
            ("a.b", "a.b.svc", "ns", true),
            ("a", "b.ns", "ns", false),
            ("a", "a.other", "ns", false),
            ("a.other.svc", "a.ns.svc", "ns", false),
            ("a.bns", "a.b", "ns", false),
            ("10.0.0.1", "10.0.0.1", "1", true),
            ("10.0.0.1", "10.0.0.2", "1", false),
            ("<a.ns>", "<a.ns>", "ns>", true),
            ("a", "a", "", true),
            ("a.b", "a.b", "", true),
            ("a.b", "a", "", false),
        ] {
            let (a, b) = (parsed(a, namespace), parsed(b, namespace));
            assert_eq!((a.reaches(&b), b.reaches(&a)), (same, same), "{a:?} and {b:?}");
        }
    }

    #[test]
    fn members_are_told_as_written_and_in_their_order() {
        let of = |written: &[&str], default_port: u16| {
            let written = written.iter().map(|text| (*text).to_owned()).collect();
            vec![field("brokers", FieldValue::Addresses { written, default_port })]
        };
        let changed = |added: &[&str], removed: &[&str]| Identity::MembersChanged {
            field: "brokers",
            added: added.iter().map(|text| (*text).to_owned()).collect(),
            removed: removed.iter().map(|text| (*text).to_owned()).collect(),
        };
        let all = of(&["c", "A:2", "b", "a:1"], 1);
        let compared = |other: &[Field]| compare(&all, other, "ns");
        assert_eq!(compared(&all), Identity::Same);
        assert_eq!(compared(&of(&["a.ns", "b:1", "a:2", "c", "b"], 1)), Identity::Same);
        assert_eq!(
            compared(&of(&["y", "b", "x", "y"], 1)),
            changed(&["y", "x", "y"], &["c", "A:2", "a:1"])
        );
        // The same text with another port leads elsewhere.
        let Identity::Different { current, .. } = compare(&of(&["a", "b"], 1), &of(&["a", "b"], 2), "ns") else {
            panic!("it is another port");
        };
        assert_eq!(current, "a,b");
    }

    #[test]
    fn a_secret_is_the_same_by_its_digest_on_either_side() {
        let secret = |text: &str| vec![field("account", FieldValue::Secret(text.into()))];
        let of = |a: &str, b: &str| compare(&secret(a), &secret(b), "ns") == Identity::Same;
        let (a, b) = (digest("a"), digest("b"));
        for (left, right, same) in [
            ("a", "a", true),
            ("a", "b", false),
            ("a", &a, true),
            (&a, "a", true),
            ("b", &a, false),
            (&a, "b", false),
            (&a, &a, true),
            (&a, &b, false),
        ] {
            assert_eq!(of(left, right), same, "{left} and {right}");
        }
    }
}
