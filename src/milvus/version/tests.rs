use super::*;
use proptest::prelude::*;

fn v(text: &str) -> Version {
    Version::parse(text).unwrap()
}

#[test]
fn reads_every_published_shape() {
    for (tag, shown, variant) in [
        ("v2.6.16", "2.6.16", None),
        ("2.5.15", "2.5.15", None),
        ("v2.6.16-debug", "2.6.16", Some("debug")),
        ("v2.6.16-amd64", "2.6.16", Some("amd64")),
        ("v2.6.16-amd64-debug", "2.6.16", Some("amd64-debug")),
        ("v2.6.16-arm64", "2.6.16", Some("arm64")),
        ("v2.6.16-arm64-debug", "2.6.16", Some("arm64-debug")),
        ("v2.6.16-debug-arm64", "2.6.16", Some("debug-arm64")),
        ("v2.6.19-gpu", "2.6.19", Some("gpu")),
        ("v2.6.19-gpu-arm", "2.6.19", Some("gpu-arm")),
        ("v2.3.0-cpu-asan", "2.3.0", Some("cpu-asan")),
        ("V2.6.6-GPU", "2.6.6", Some("gpu")),
        ("2.6.0-rc1", "2.6.0-rc1", None),
        ("2.6.0-rc1.2", "2.6.0-rc1.2", None),
        ("v2.6.0-rc1", "2.6.0-rc1", None),
        ("2.6.0-rc.1", "2.6.0-rc.1", None),
        ("v2.6.0-rc1-gpu", "2.6.0-rc1", Some("gpu")),
        ("v2.6.0-gpu-rc1", "2.6.0-rc1", Some("gpu")),
        ("v2.5.0-beta", "2.5.0-beta", None),
        ("v3.0-beta", "3.0.0-beta", None),
        ("v2.3.1-beta1", "2.3.1-beta1", None),
        ("v2.0.0-pre-ga", "2.0.0-pre-ga", None),
        ("v2.0.0-rc5-hotfix1", "2.0.0-rc5-hotfix1", None),
        ("2.6.0-dev", "2.6.0-dev", None),
        ("2.6.0-testing", "2.6.0-testing", None),
        ("2.6.0-alpha.2", "2.6.0-alpha.2", None),
        ("v2.0.2-hotfix-16885", "2.0.2-hotfix-16885", None),
        ("v2.1.0-hotfix-dcd6c9e", "2.1.0-hotfix-dcd6c9e", None),
        ("v2.4.13-hotfix", "2.4.13-hotfix", None),
        ("v2.4.13-hotfix-gpu", "2.4.13-hotfix", Some("gpu")),
    ] {
        let version = v(tag);
        assert_eq!(version.to_string(), shown, "{tag}");
        assert_eq!(version.variant.as_deref(), variant, "{tag}");
        assert_eq!(version.text, tag);
    }
}

#[test]
fn does_not_guess() {
    let l = |a, b| Some((a, b));
    for (tag, line, why) in [
        ("", None, Why::NoTag),
        ("latest", None, Why::Latest),
        ("master-latest", None, Why::Latest),
        ("2.6-latest", l(2, 6), Why::Latest),
        ("2.6-latest-gpu", l(2, 6), Why::Latest),
        ("gpu-2.6-latest", l(2, 6), Why::Latest),
        ("2.6-20260723-d73c8e53", l(2, 6), Why::DatedBuild),
        ("2.6-12345678-d73c8e53", l(2, 6), Why::Custom),
        ("2.6-2026-d73c8e53", l(2, 6), Why::Custom),
        ("2.6.0-rc1.x", l(2, 6), Why::Custom),
        ("2.6-20260723-d73c8e53-amd64", l(2, 6), Why::DatedBuild),
        ("2.5-20250613-5110130b-amd64", l(2, 5), Why::DatedBuild),
        ("2.5-20250613-5110130b-gpu-arm", l(2, 5), Why::DatedBuild),
        ("3.0-20260723-bd384f0", l(3, 0), Why::DatedBuild),
        ("v2.1.0-20220928-9122e34c", l(2, 1), Why::DatedBuild),
        ("2.2.0-20231021-1f972292", l(2, 2), Why::DatedBuild),
        ("v2.0.0-rc8-20211104-d1f4106", l(2, 0), Why::DatedBuild),
        ("master-20250613-1bf960b1-amd64", None, Why::DatedBuild),
        ("master", None, Why::Branch),
        ("hotfix-2.6.10", l(2, 6), Why::Branch),
        ("hotfix-2.6.10-20260101-abcdef0", l(2, 6), Why::DatedBuild),
        ("gpu-2.6-20260101-abcdef0", l(2, 6), Why::DatedBuild),
        ("gpu-master-abcdef0", None, Why::Branch),
        ("gpu-2.6-abcdef0", l(2, 6), Why::Branch),
        ("gpu-v2.6.6", l(2, 6), Why::Branch),
        ("v2.6", l(2, 6), Why::Branch),
        ("2.6-gpu", l(2, 6), Why::Branch),
        ("v2.6-hotfix", l(2, 6), Why::Branch),
        ("v2", None, Why::Custom),
        ("2", None, Why::Custom),
        ("1.1.1-gpu-d061621-330cc6", l(1, 1), Why::Custom),
        ("v2.6.6+corp.1", l(2, 6), Why::Custom),
        ("v2.6.6-corp1", l(2, 6), Why::Custom),
        ("v2.6.6-hotfix -arm64", l(2, 6), Why::Custom),
        ("v2.6.0-rc1-\u{e9}", l(2, 6), Why::Custom),
        ("v2.6.6-patched-rc1", l(2, 6), Why::Custom),
        ("v2.6.6.1", l(2, 6), Why::Custom),
        ("v2.6.x", l(2, 6), Why::Custom),
        ("v2.6.06", l(2, 6), Why::Custom),
        ("v2.6.", l(2, 6), Why::Custom),
        ("v2.6.6-", l(2, 6), Why::Custom),
        ("v2.6.6-pre", l(2, 6), Why::Custom),
        ("v2.6.6-rcx", l(2, 6), Why::Custom),
        ("v2.6.6-abcdef0", l(2, 6), Why::Custom),
        ("v2.6.99999999999999999999999", l(2, 6), Why::Custom),
        ("prod", None, Why::Custom),
        ("corp-2.6.6", l(2, 6), Why::Custom),
        ("from-2.5.16-to-2.6.6", None, Why::Custom),
    ] {
        match read_tag(tag) {
            Read::Undecidable(u) => {
                assert_eq!((u.text.as_str(), u.line, u.why), (tag, line, why), "{tag}")
            }
            Read::Known(version) => panic!("{tag} read as {version}"),
        }
    }
}

#[test]
fn reads_images() {
    let read = |text: &str| read_image(&ImageRef::parse(text));
    let known = |text: &str| match read(text) {
        Read::Known(version) => version.to_string(),
        Read::Undecidable(u) => panic!("{text}: {u}"),
    };
    let why = |text: &str| match read(text) {
        Read::Known(version) => panic!("{text} read as {version}"),
        Read::Undecidable(u) => u.why,
    };
    assert_eq!(known("registry:5000/x/milvus:v2.6.6"), "2.6.6");
    assert_eq!(known("milvusdb/milvus:v2.5.16@sha256:00"), "2.5.16");
    assert_eq!(why("milvusdb/milvus@sha256:00"), Why::DigestOnly);
    assert_eq!(why("milvusdb/milvus"), Why::NoTag);
    assert_eq!(why("registry:5000/milvus"), Why::NoTag);
    assert_eq!(why("milvusdb/milvus:latest@sha256:00"), Why::Latest);
}

#[test]
fn orders_as_released() {
    let ascending = [
        "2.0.0-rc2",
        "2.0.0-rc5",
        "2.0.0-rc5-hotfix1",
        "2.0.0-rc8",
        "2.0.0-rc10",
        "2.0.0-pre-ga",
        "2.0.0",
        "2.0.2-hotfix-16885",
        "2.3.1-beta1",
        "2.3.1",
        "2.4.13",
        "2.4.13-hotfix",
        "2.4.13-hotfix1",
        "2.4.13-hotfix2",
        "2.4.14",
        "2.5.0-beta",
        "2.5.9",
        "2.5.15",
        "2.5.16-rc1",
        "2.5.16",
        "2.5.22",
        "2.6.0-dev",
        "2.6.0-testing",
        "2.6.0-alpha",
        "2.6.0-beta",
        "2.6.0-rc1",
        "2.6.0",
        "2.6.9",
        "2.6.10",
        "3.0-beta",
        "3.0.0",
    ];
    for pair in ascending.windows(2) {
        assert!(v(pair[0]) < v(pair[1]), "{pair:?}");
    }
    for (a, b) in [
        ("2.6.0-rc1", "v2.6.0-rc.1"),
        ("2.6.0-rc01", "2.6.0-rc1"),
        ("2.5.16", "v2.5.16-gpu"),
        ("2.5.16", "v2.5.16-arm64-debug"),
        ("2.6.0-rc1-gpu", "2.6.0-rc1"),
    ] {
        assert_eq!(v(a), v(b));
    }
    assert!(v("2.5.16-gpu").at_least(2, 5, 16));
    assert!(!v("2.6.0-rc1").at_least(2, 6, 0));
    assert!(v("2.6.0-rc1").is_pre());
    assert_eq!(v("2.6.0-rc1").line(), (2, 6));
}

prop_compose! {
    fn any_version()(
        base in (0_u64..3, 0_u64..3, 0_u64..3),
        stage in prop::sample::select(vec![
            "", "-rc1", "-rc2", "-rc.2", "-rc10", "-beta", "-beta1", "-alpha", "-dev", "-pre-ga", "-testing",
            "-rc5-hotfix1", "-hotfix", "-hotfix1", "-hotfix-16885", "-hotfix-dcd6c9e",
        ]),
        variant in prop::sample::select(vec!["", "-gpu", "-arm64-debug"]),
    ) -> Version {
        v(&format!("{}.{}.{}{stage}{variant}", base.0, base.1, base.2))
    }
}

proptest! {
    #[test]
    fn order_is_total(a in any_version(), b in any_version(), c in any_version()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b) == Ordering::Equal);
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        prop_assert!(a.cmp(&Version::new(a.major, a.minor, a.patch + 1)) == Ordering::Less);
    }

    #[test]
    fn shows_what_reads_back(a in any_version()) {
        prop_assert_eq!(&v(&a.to_string()), &a);
    }

    #[test]
    fn never_panics(tag in "[-v.a-z0-9+]{0,40}", any in "\\PC{0,20}") {
        let _ = (read_tag(&tag), read_tag(&any), ImageRef::parse(&any));
    }
}

#[test]
fn what_says_no_version_is_told_with_the_reason() {
    let told = |tag: &str| Version::parse(tag).unwrap_err().to_string();
    assert_eq!(told("latest"), "`latest`: the tag moves from version to version");
    assert_eq!(told(""), "there is no tag");
}
