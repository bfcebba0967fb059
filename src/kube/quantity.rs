//! Exact arithmetic on Kubernetes quantities.
//!
//! Reads, adds, compares and prints quantities as the API server does (apimachinery `resource.Quantity`): values are
//! held in whole nano units, what is finer is rounded away from zero, and what exceeds `2^63 - 1` is capped there.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Add;

use crate::value::Value;

/// One unit in nanos, the finest precision Kubernetes keeps.
const NANOS: i128 = 1_000_000_000;
/// The largest magnitude Kubernetes keeps, in nanos.
const CAP: i128 = (i64::MAX as i128) * NANOS;

/// The family of suffixes a quantity was written in, and is printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `n u m k M G T P E`, or none: powers of 1000.
    Decimal,
    /// `Ki Mi Gi Ti Pi Ei`: powers of 1024.
    Binary,
    /// `e3`, `E-3`: a decimal exponent.
    Exponent,
}

/// A Kubernetes quantity: an exact value and the family of suffixes it was written in. Compares by value alone.
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

/// What was written is no quantity. Carries the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuantityError {
    /// What was written.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl fmt::Display for QuantityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a quantity: {}", self.text, self.why)
    }
}

impl std::error::Error for QuantityError {}

impl Quantity {
    /// Zero, in the decimal family. Adding to it takes over the family of what is added.
    pub const ZERO: Quantity = Quantity {
        nanos: 0,
        format: Format::Decimal,
    };

    /// Reads a quantity as Kubernetes does: sign, digits with an optional fraction (`.5` and `1.` too), then one of
    /// the suffixes or a decimal exponent. No surrounding whitespace.
    ///
    /// # Errors
    /// When the text has no digits, an unknown suffix, or more significant digits than can be held exactly.
    pub fn parse(text: &str) -> Result<Quantity, QuantityError> {
        let fail = |why| QuantityError {
            text: text.to_owned(),
            why,
        };
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let digits_until = |s: &str| s.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(s.len());
        let (whole, rest) = unsigned.split_at(digits_until(unsigned));
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at(digits_until(rest)),
            None => ("", rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(fail("it has no digits"));
        }
        let (exponent10, exponent2, mut format) = suffix_of(suffix).ok_or_else(|| fail("its suffix is unknown"))?;

        let fraction = fraction.trim_end_matches('0');
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        if digits.len() > 38 {
            return Err(fail("it has too many digits"));
        }
        let number: u128 = if digits.is_empty() {
            0
        } else {
            digits.parse().map_err(|_| fail("it has too many digits"))?
        };
        // nanos = number * 2^exponent2 * 10^scale
        let scale = exponent10
            .saturating_add(9)
            .saturating_sub(i32::try_from(fraction.len()).map_err(|_| fail("it has too many digits"))?);
        let magnitude = scaled(number, exponent2, scale).ok_or_else(|| fail("it has too many digits"))?;
        // A binary quantity below one is printed in the decimal family.
        if format == Format::Binary && magnitude > 0 && magnitude < NANOS {
            format = Format::Decimal;
        }
        let nanos = if negative { -magnitude } else { magnitude };
        Ok(Quantity { nanos, format })
    }

    /// Reads a quantity out of a manifest: a string (surrounding whitespace is dropped, as the API server does) or
    /// a number.
    ///
    /// # Errors
    /// When the value is neither, or is no quantity.
    pub fn from_value(value: &Value) -> Result<Quantity, QuantityError> {
        match value {
            Value::String(s) => Quantity::parse(s.trim()),
            Value::Number(n) => Quantity::parse(&n.to_string()),
            other => Err(QuantityError {
                text: other.to_string(),
                why: "it is neither a string nor a number",
            }),
        }
    }

    /// The value in plain units (cores, bytes), for sizing formulas; not exact.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn as_f64(self) -> f64 {
        self.nanos as f64 / NANOS as f64
    }

    /// The family of suffixes it is printed in.
    #[must_use]
    pub fn format(self) -> Format {
        self.format
    }
}

impl Add for Quantity {
    type Output = Quantity;

    /// The sum, in the family of `self`; of `other` where `self` is zero (apimachinery `Quantity.Add`). Saturates at
    /// the cap.
    fn add(self, other: Quantity) -> Quantity {
        Quantity {
            nanos: (self.nanos + other.nanos).clamp(-CAP, CAP),
            format: if self.nanos == 0 { other.format } else { self.format },
        }
    }
}

impl std::iter::Sum for Quantity {
    fn sum<I: Iterator<Item = Quantity>>(iter: I) -> Quantity {
        iter.fold(Quantity::ZERO, Add::add)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl fmt::Display for Quantity {
    /// The canonical form of Kubernetes: the largest suffix of the family that leaves a whole number. A binary
    /// quantity that is below 1024 or has a fraction is printed in the decimal family.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        if self.format == Format::Binary && self.nanos.abs() >= 1024 * NANOS && self.nanos % NANOS == 0 {
            let mut number = self.nanos / NANOS;
            let mut step = 0;
            while number % 1024 == 0 && step < 6 {
                number /= 1024;
                step += 1;
            }
            return write!(f, "{number}{}", ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][step]);
        }
        let mut number = self.nanos;
        let mut exponent = -9;
        while number % 1000 == 0 && exponent < 18 {
            number /= 1000;
            exponent += 3;
        }
        match (self.format, exponent) {
            (Format::Exponent, 0) => write!(f, "{number}"),
            (Format::Exponent, _) => write!(f, "{number}e{exponent}"),
            (_, -9) => write!(f, "{number}n"),
            (_, -6) => write!(f, "{number}u"),
            (_, -3) => write!(f, "{number}m"),
            (_, 0) => write!(f, "{number}"),
            (_, 3) => write!(f, "{number}k"),
            (_, 6) => write!(f, "{number}M"),
            (_, 9) => write!(f, "{number}G"),
            (_, 12) => write!(f, "{number}T"),
            (_, 15) => write!(f, "{number}P"),
            _ => write!(f, "{number}E"),
        }
    }
}

/// The suffix as (power of ten, power of two, family); `None` when Kubernetes knows no such suffix.
fn suffix_of(suffix: &str) -> Option<(i32, u32, Format)> {
    let decimal = |e| Some((e, 0, Format::Decimal));
    let binary = |e| Some((0, e, Format::Binary));
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            Some((exponent.parse().ok()?, 0, Format::Exponent))
        }
    }
}

/// `number * 2^exponent2 * 10^scale`, rounded up to a whole number and capped; `None` when it cannot be computed
/// exactly.
fn scaled(number: u128, exponent2: u32, scale: i32) -> Option<i128> {
    const LIMIT: u128 = CAP.unsigned_abs();
    let capped = |n: u128| i128::try_from(n.min(LIMIT)).ok();
    if number == 0 {
        return Some(0);
    }
    if scale >= 0 {
        let product = 10_u128
            .checked_pow(scale.unsigned_abs())
            .and_then(|p| p.checked_mul(1 << exponent2))
            .and_then(|p| p.checked_mul(number));
        // What overflows 128 bits is far above the cap.
        return capped(product.unwrap_or(LIMIT));
    }
    let down = scale.unsigned_abs();
    // 10^down = 2^down * 5^down; twos cancel against the binary suffix.
    let up2 = exponent2.saturating_sub(down);
    let down2 = down.saturating_sub(exponent2);
    let Some(divisor) = 5_u128
        .checked_pow(down)
        .and_then(|p| if down2 < 128 { p.checked_mul(1 << down2) } else { None })
    else {
        // The divisor exceeds 128 bits, and so any number of at most 38 digits: the smallest unit is left. Only
        // where no binary suffix multiplies it back up.
        return if up2 == 0 { Some(1) } else { None };
    };
    let product = number.checked_mul(1 << up2);
    match product {
        Some(p) => capped(p.div_ceil(divisor)),
        None if u128::MAX / divisor > LIMIT => capped(LIMIT),
        None => None,
    }
}

#[cfg(test)]
mod tests;
