use super::*;
use proptest::prelude::*;

fn q(text: &str) -> Quantity {
    Quantity::parse(text).unwrap()
}

#[test]
fn prints_what_kubernetes_prints() {
    for (text, canonical) in [
        ("0", "0"),
        ("0Gi", "0"),
        ("0.5Gi", "512Mi"),
        ("1500m", "1500m"),
        ("1.5", "1500m"),
        ("2e3", "2e3"),
        ("2E3", "2e3"),
        ("2000", "2k"),
        ("1.5e3", "1500"),
        ("1e-3", "1e-3"),
        ("128974848", "128974848"),
        ("123Mi", "123Mi"),
        ("1024Mi", "1Gi"),
        ("1023", "1023"),
        ("1Ki", "1Ki"),
        ("0.5Ki", "512"),
        ("0.0001Ki", "102400u"),
        (".5", "500m"),
        ("1.", "1"),
        ("+1", "1"),
        ("-1.5Gi", "-1536Mi"),
        ("1n", "1n"),
        ("0.1n", "1n"),
        ("1.1n", "2n"),
        ("-0.1n", "-1n"),
        ("1e-30", "1e-9"),
        ("1E", "1E"),
        ("1Ei", "1Ei"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9223372036854775807"),
        ("1e30", "9223372036854775807"),
        ("100Ei", "9223372036854775807"),
        ("1000000000000000000000n", "1T"),
        ("00.50", "500m"),
        ("3000M", "3G"),
    ] {
        assert_eq!(q(text).to_string(), canonical, "{text}");
    }
}

#[test]
fn sums_are_exact() {
    for (terms, sum) in [
        (&["250m", "100m", "0.5", "150m"][..], "1"),
        (&["512Mi", "256Mi", "1Gi", "0.5Gi"], "2304Mi"),
        (&["0.1", "0.2"], "300m"),
        (&["1G", "1Gi"], "2073741824"),
        (&["1Gi", "1G"], "2073741824"),
        (&["1Gi", "1024M"], "2048576Ki"),
        (&["1Gi", "1Gi"], "2Gi"),
        (&["0", "1Gi"], "1Gi"),
        (&["1e3", "1"], "1001"),
        (&["1", "-1"], "0"),
        (&["100m", "1Gi"], "1073741824100m"),
    ] {
        let total = terms.iter().map(|t| q(t)).sum::<Quantity>();
        assert_eq!(total.to_string(), sum, "{terms:?}");
    }
}

#[test]
fn refuses_what_is_none() {
    for text in [
        "",
        ".",
        "-",
        "+",
        "Ki",
        "1i",
        ".5i",
        "1.1.M",
        "1+1.0M",
        "0.1mi",
        "0.1am",
        "aoeu",
        "-3.01e-",
        " 1",
        "1 ",
        "1K",
        "1ki",
        "--1",
        "1e",
        "0x10",
        "1_000",
        "½",
        "1Gib",
        "1e99999999999",
    ] {
        // `1e` is no exponent; alone `E` is exa.
        let error = Quantity::parse(text).unwrap_err();
        assert_eq!(error.text, text);
    }
    assert!(Quantity::from_value(&crate::value::json!([1])).is_err());
    assert!(Quantity::from_value(&Value::Null).is_err());
}

#[test]
fn reads_json_numbers() {
    for (value, text) in [
        (crate::value::json!(2), "2"),
        (crate::value::json!(0.5), "500m"),
        (crate::value::json!(1e3), "1k"),
        (crate::value::json!(" 1Gi\n"), "1Gi"),
        (crate::value::json!(-1), "-1"),
    ] {
        assert_eq!(Quantity::from_value(&value).unwrap().to_string(), text);
    }
    assert!((q("1500m").as_f64() - 1.5).abs() < f64::EPSILON);
    assert!((q("8Gi").as_f64() - 8.0 * 1_073_741_824.0).abs() < f64::EPSILON);
}

proptest! {
    #[test]
    fn reads_back_what_it_prints(n in -1_000_000_000_000_i64..1_000_000_000_000, s in 0..14_usize) {
        let suffix = ["n", "u", "m", "", "k", "M", "Ki", "Mi", "Gi", "e3", "e-3", "E2", "e+1", "Ti"][s];
        let value = q(&format!("{n}{suffix}"));
        let printed = value.to_string();
        let back = q(&printed);
        prop_assert_eq!(back, value);
        prop_assert_eq!(back.to_string(), printed);
    }

    #[test]
    fn adding_commutes_and_orders(a in 0_u32..100_000, b in 0_u32..100_000, c in 1_u32..1000) {
        let (a, b, c) = (q(&format!("{a}m")), q(&format!("{b}Ki")), q(&format!("{c}n")));
        prop_assert_eq!(a + b, b + a);
        prop_assert_eq!(a + b + c, a + (b + c));
        prop_assert!(a + c > a);
    }

    #[test]
    fn never_panics(text in "[-+]?[0-9]{0,40}\\.?[0-9]{0,40}(e-?[0-9]{1,12}|Ei|E|n|)") {
        let _ = Quantity::parse(&text);
    }
}
