//! What Kubernetes takes as the name of an object.

/// Why the API server refuses `name` for an object of `kind`, in words that follow `the name of …`; `None` where it takes it.
///
/// A Service's name is a DNS label: at most 63 characters, no dots. What else this program writes may have 253. A first
/// digit is let pass: of a Service Kubernetes takes it from 1.34 on, where the gate `RelaxedServiceNameValidation` is on.
///
/// Source: Kubernetes documentation, "Object Names and IDs"; `ValidateServiceName` and `NameIsDNSSubdomain` in apimachinery
/// `pkg/api/validation`.
#[must_use]
pub fn refused(kind: &str, name: &str) -> Option<String> {
    let (most, dots) = match kind {
        "Service" => (63, false),
        _ => (253, true),
    };
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || dots && c == '.';
    let parts = name.split('.');
    let edges = || {
        parts
            .clone()
            .all(|p| !p.is_empty() && !p.starts_with('-') && !p.ends_with('-'))
    };
    if name.len() > most {
        return Some(format!(
            "has {} characters, and Kubernetes takes at most {most} for a {kind}",
            name.len()
        ));
    }
    if let Some(other) = name.chars().find(|c| !inner(*c)) {
        return Some(format!(
            "has {other:?} in it, which Kubernetes does not take for a {kind}"
        ));
    }
    (!edges()).then(|| format!("begins, ends or has a part that begins or ends in a hyphen or in nothing, which Kubernetes does not take for a {kind}"))
}

#[cfg(test)]
mod tests {
    use super::refused;

    #[test]
    fn names_have_their_limits() {
        let x = |n: usize| "x".repeat(n);
        for (kind, name, taken) in [
            ("Service", x(63), true),
            ("Service", x(64), false),
            ("Service", "a-1".into(), true),
            ("Service", "9a".into(), true),
            ("Service", "a.b".into(), false),
            ("Service", "a_b".into(), false),
            ("Service", "A".into(), false),
            ("Service", "a-".into(), false),
            ("Service", String::new(), false),
            ("Deployment", x(253), true),
            ("Deployment", x(254), false),
            ("Deployment", "a.b-1".into(), true),
            ("Deployment", "a..b".into(), false),
            ("Deployment", "a.-b".into(), false),
        ] {
            assert_eq!(refused(kind, &name).is_none(), taken, "{kind} {name}");
        }
        assert!(refused("Service", &x(65)).is_some_and(|why| why.contains("65") && why.contains("63")));
    }
}
