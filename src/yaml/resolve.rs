//! What a scalar means: the rules of go-yaml v2 behind sigs.k8s.io/yaml.

use super::Value;
use crate::value::{Number, Text};

const TAG_PREFIX: &str = "tag:yaml.org,2002:";

/// A scalar with its type, before it becomes a JSON value or a map key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    /// Only above `i64::MAX`.
    Uint(u64),
    Float(f64),
    Str(Text),
}

impl Scalar {
    /// The JSON value; an error where JSON has none.
    pub(super) fn into_value(self) -> Result<Value, String> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(flag),
            Self::Int(int) => Value::Number(int.into()),
            Self::Uint(int) => Value::Number(int.into()),
            Self::Float(float) => Value::Number(number(float).ok_or("infinity and NaN cannot be JSON values")?),
            Self::Str(text) => Value::String(text),
        })
    }

    /// The map key sigs.k8s.io/yaml makes of it; an error where it refuses.
    pub(super) fn into_key(self) -> Result<Text, String> {
        match self {
            Self::Null => Err("null is no map key".into()),
            Self::Bool(flag) => Ok(flag.to_string().into()),
            Self::Int(int) => Ok(int.to_string().into()),
            Self::Uint(int) => Err(format!("{int} is too large for a map key")),
            Self::Float(float) => Ok(float_key(float).into()),
            Self::Str(text) => Ok(text),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::Uint(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
        }
    }
}

/// Resolves a scalar. `plain`: neither quoted nor a block scalar. `tag`: as the parser expands it.
pub(super) fn resolve(tag: Option<&str>, text: Text, plain: bool) -> Result<Scalar, String> {
    let Some(tag) = tag.filter(|tag| !tag.is_empty()) else {
        return Ok(if plain { owned(text) } else { Scalar::Str(text) });
    };
    let Some(short) = tag.strip_prefix(TAG_PREFIX) else {
        return Ok(Scalar::Str(text));
    };
    match short {
        "binary" => binary(&text).map(|text| Scalar::Str(text.into())),
        "timestamp" if is_timestamp(&text) => Ok(Scalar::Str(text)),
        "bool" | "int" | "float" | "null" | "timestamp" => match (short, owned(text)) {
            ("float", Scalar::Int(int)) => Ok(Scalar::Float(int as f64)),
            (want, scalar) if scalar.kind() == want => Ok(scalar),
            (want, scalar) => Err(format!("cannot decode this !!{} as a !!{want}", scalar.kind())),
        },
        _ => Ok(Scalar::Str(text)),
    }
}

fn owned(text: Text) -> Scalar {
    not_text(&text).unwrap_or(Scalar::Str(text))
}

/// A plain scalar without a tag.
pub(super) fn plain(text: &str) -> Scalar {
    not_text(text).unwrap_or_else(|| Scalar::Str(text.into()))
}

/// What a plain scalar is, where it is no text.
fn not_text(text: &str) -> Option<Scalar> {
    let Some(&first) = text.as_bytes().first() else {
        return Some(Scalar::Null);
    };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => word(text),
        b'.' => special_float(text).or_else(|| fraction(text)),
        b'0'..=b'9' => numeric(text),
        b'+' | b'-' => special_float(text).or_else(|| numeric(text)),
        _ => None,
    }
}

fn word(text: &str) -> Option<Scalar> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Scalar::Bool(false),
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        _ => return None,
    })
}

fn special_float(text: &str) -> Option<Scalar> {
    Some(Scalar::Float(match text {
        ".nan" | ".NaN" | ".NAN" => f64::NAN,
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => f64::INFINITY,
        "-.inf" | "-.Inf" | "-.INF" => f64::NEG_INFINITY,
        _ => return None,
    }))
}

/// A float that starts with its point: here, unlike elsewhere, underscores must stand between digits.
fn fraction(text: &str) -> Option<Scalar> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut underscores = text.match_indices('_').map(|(at, _)| at);
    let well_placed = underscores.all(|at| at > 0 && is_digit(at - 1) && is_digit(at + 1));
    well_placed.then(|| float(&text.replace('_', ""))).flatten()
}

/// Integers and floats; underscores count for nothing wherever they stand after the first character.
fn numeric(text: &str) -> Option<Scalar> {
    if text.bytes().any(|byte| byte == b'_') {
        let plain = text.replace('_', "");
        return integer(&plain).or_else(|| float(&plain));
    }
    integer(text).or_else(|| float(text))
}

fn integer(text: &str) -> Option<Scalar> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (Some(true), &text[1..]),
        b'+' => (Some(false), &text[1..]),
        _ => (None, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    match sign {
        Some(true) if magnitude <= i64::MIN.unsigned_abs() => Some(Scalar::Int(0i64.wrapping_sub_unsigned(magnitude))),
        Some(true) => None,
        _ => match i64::try_from(magnitude) {
            Ok(int) => Some(Scalar::Int(int)),
            Err(_) => sign.is_none().then_some(Scalar::Uint(magnitude)),
        },
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?` within the range of a double.
fn float(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_ok = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    if !exponent_ok || !all_digits(whole) || !all_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    text.parse::<f64>()
        .ok()
        .filter(|float| float.is_finite())
        .map(Scalar::Float)
}

/// The JSON number: a float without a fraction is the integer Go prints.
fn number(float: f64) -> Option<Number> {
    if float.fract() == 0.0 {
        if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float) {
            return Some(Number::from(float as i64));
        }
        if (0.0..18_446_744_073_709_551_616.0).contains(&float) {
            return Some(Number::from(float as u64));
        }
    }
    Number::from_f64(float)
}

/// A float as a map key: Go's `%g` of the value as a 32-bit float.
fn float_key(float: f64) -> String {
    let float = float as f32;
    if float.is_nan() {
        return ".nan".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { ".inf".into() } else { "-.inf".into() };
    }
    let scientific = format!("{float:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Go writes an exponent below 1e-4 and from 1e6 on when asked for the shortest digits.
    if (-4..6).contains(&exponent) {
        return format!("{float}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// `!!binary`: base64 whose bytes are taken as text, each invalid byte as U+FFFD.
fn binary(text: &str) -> Result<String, String> {
    let invalid = || String::from("!!binary value contains invalid base64 data");
    let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    if !digits.len().is_multiple_of(4) {
        return Err(invalid());
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3);
    for (number, group) in digits.chunks(4).enumerate() {
        let last = (number + 1) * 4 == digits.len();
        let padding = group.iter().rev().take_while(|byte| **byte == b'=').count();
        if padding > 2 || (padding > 0 && !last) {
            return Err(invalid());
        }
        let mut bits = 0u32;
        for byte in &group[..4 - padding] {
            bits = bits << 6 | base64_digit(*byte).ok_or_else(invalid)?;
        }
        bits <<= 6 * padding;
        bytes.extend_from_slice(&bits.to_be_bytes()[1..4 - padding]);
    }
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
    }
    Ok(out)
}

fn base64_digit(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// The timestamps go-yaml knows: a date, or a date and a time with a zone after `T`, or without one after a space.
fn is_timestamp(text: &str) -> bool {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some((text.as_bytes()[at], &text[at + 1..]))),
        None => (text, None),
    };
    let fields: Vec<&str> = date.split('-').collect();
    let [year, month, day] = fields[..] else {
        return false;
    };
    let date_ok = year.len() == 4
        && field(year, 4, 0..=9999).is_some()
        && match (field(month, 2, 1..=12), field(year, 4, 0..=9999)) {
            (Some(month), Some(year)) => field(day, 2, 1..=days(year, month)).is_some(),
            _ => false,
        };
    date_ok
        && match time {
            None => true,
            Some((b' ', time)) => is_clock(time),
            Some((_, time)) => match time.strip_suffix('Z') {
                Some(time) => is_clock(time),
                None => time
                    .rfind(['+', '-'])
                    .is_some_and(|at| is_clock(&time[..at]) && is_zone(&time[at + 1..])),
            },
        }
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_clock(text: &str) -> bool {
    let fields: Vec<&str> = text.split(':').collect();
    let [hour, minute, second] = fields[..] else {
        return false;
    };
    let (second, fraction) = match second.split_once(['.', ',']) {
        Some((second, fraction)) => (second, Some(fraction)),
        None => (second, None),
    };
    field(hour, 2, 0..=23).is_some()
        && field(minute, 2, 0..=59).is_some()
        && field(second, 2, 0..=59).is_some()
        && fraction.is_none_or(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_zone(text: &str) -> bool {
    text.len() == 5
        && text
            .split_once(':')
            .is_some_and(|(hour, minute)| field(hour, 2, 0..=24).is_some() && field(minute, 2, 0..=60).is_some())
}

fn field(text: &str, width: usize, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
    let digits = !text.is_empty() && text.len() <= width && text.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .filter(|number| range.contains(number))
}
