//! Which objects a patch is for.

use serde::Deserialize;

use crate::kube::Object;
use crate::kube::object::group;

/// Which objects a patch is for: all that is given must hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    /// The API group: `apps`.
    pub group: Option<String>,
    /// The kind.
    pub kind: Option<String>,
    /// The name; `*` stands for anything.
    pub name: Option<Name>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The role of a Milvus workload, as `milvus run` names it.
    pub role: Option<String>,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said: Vec<String> = self.given().map(|(key, value)| format!("{key} {value}")).collect();
        f.write_str(&said.join(", "))
    }
}

impl Target {
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let parts = [
            ("group", self.group.as_deref()),
            ("kind", self.kind.as_deref()),
            ("name", self.name.as_ref().map(|name| &name.written[..])),
            ("namespace", self.namespace.as_deref()),
            ("role", self.role.as_deref()),
        ];
        parts.into_iter().filter_map(|(key, value)| Some((key, value?)))
    }

    pub fn holds(&self, object: &Object, roles: &[&str]) -> bool {
        let is = |wanted: &Option<String>, have: &str| wanted.as_ref().is_none_or(|w| w == have);
        let reference = &object.reference;
        is(&self.group, group(&reference.api_version))
            && is(&self.kind, &reference.kind)
            && is(&self.namespace, &reference.namespace)
            && self.name.as_ref().is_none_or(|n| n.is(&reference.name))
            && self.role.as_ref().is_none_or(|r| roles.contains(&r.as_str()))
    }

    /// How much it takes to look whether an object is meant: with stars its name is read.
    pub fn look(&self, object: &Object) -> usize {
        let stars = self.name.as_ref().is_some_and(|name| name.plain().is_none());
        1 + if stars { object.reference.name.len() / 256 } else { 0 }
    }
}

/// A name, with `*` for anything. What stands between the stars is cut out once, not for each object.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub(super) struct Name {
    written: String,
    /// What a name begins with, what comes in it in this order, what it ends with; one alone is the name.
    pieces: Vec<String>,
}

impl From<String> for Name {
    fn from(written: String) -> Name {
        let last = written.matches('*').count();
        let pieces = written.split('*').enumerate();
        let pieces = pieces.filter(|(i, piece)| *i == 0 || *i == last || !piece.is_empty());
        Name {
            pieces: pieces.map(|(_, piece)| piece.to_owned()).collect(),
            written,
        }
    }
}

impl Name {
    /// The name itself, where there is no star in it.
    pub fn plain(&self) -> Option<&str> {
        (self.pieces.len() == 1).then_some(&self.written)
    }

    /// Whether a name is this one.
    pub fn is(&self, name: &str) -> bool {
        let Some((first, behind)) = self.pieces.split_first() else {
            return false;
        };
        let Some(mut rest) = name.strip_prefix(&**first) else {
            return false;
        };
        let Some((last, middle)) = behind.split_last() else {
            return rest.is_empty();
        };
        for piece in middle {
            // To look for a piece takes as long as it is, even where it cannot be there.
            let found = if piece.len() > rest.len() {
                None
            } else {
                rest.find(&**piece)
            };
            let Some(at) = found else { return false };
            rest = &rest[at + piece.len()..];
        }
        rest.ends_with(&**last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_wildcards() {
        for (wanted, name, is) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*-b", "a-b", true),
            ("a*", "abc", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
            ("a***c**e", "abcde", true),
            ("a***c**e", "abde", false),
            ("**", "", true),
            ("**a", "ba", true),
            ("a**", "ba", false),
            ("*a longer one*", "a", false),
            ("*a*a*", "a", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(Name::from(wanted.to_owned()).is(name), is, "{wanted} {name}");
        }
    }

    #[test]
    fn a_name_is_told_as_it_is_written() {
        let target = Target {
            name: Some(Name::from("a**b*".to_owned())),
            ..Target::default()
        };
        assert_eq!(target.to_string(), "name a**b*");
        let name = target.name.unwrap();
        assert_eq!((name.pieces.len(), name.plain()), (3, None));
        assert_eq!(Name::from("ab".to_owned()).plain(), Some("ab"));
    }
}
