//! `printf` and `print`, as Go's `fmt` formats.

use crate::chart::error::{Fault, Limit};
use crate::chart::meter::{MOST_NESTING, Meter};
use crate::chart::value::{Value, display, escape, quoted};
use crate::document::number::go_general;

use super::arg::{fault, text};
use super::{ANY, Function, plain};

pub(super) static FUNCTIONS: &[Function] = &[
    plain("printf", 1, ANY, |meter, args| {
        let out = sprintf(text(&args[0])?, &args[1..], meter)?;
        meter.text(out.len())?;
        Ok(Value::text(out))
    }),
    plain("print", 0, ANY, |meter, args| sprint(args, meter).map(Value::text)),
    plain("println", 0, ANY, |meter, args| {
        let mut out = String::new();
        for (at, arg) in args.iter().enumerate() {
            if at > 0 {
                out.push(' ');
            }
            display(arg, "<nil>", meter, &mut out)?;
        }
        out.push('\n');
        Ok(Value::text(out))
    }),
];

/// `fmt.Sprint`: a space between two operands of which neither is a text.
pub(super) fn sprint(args: &[Value], meter: &Meter) -> Result<String, Fault> {
    let mut out = String::new();
    let mut before: Option<&Value> = None;
    for arg in args {
        if let Some(before) = before
            && !matches!(before, Value::Text(_))
            && !matches!(arg, Value::Text(_))
        {
            out.push(' ');
        }
        display(arg, "<nil>", meter, &mut out)?;
        before = Some(arg);
    }
    Ok(out)
}

/// The flags, width and precision of one verb.
#[derive(Default, Clone, Copy)]
struct Form {
    minus: Flag,
    plus: Flag,
    sharp: Flag,
    space: Flag,
    zero: Flag,
    width: Option<usize>,
    precision: Option<usize>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Flag {
    #[default]
    Off,
    On,
}

const WIDEST: usize = 1_000_000;

fn sprintf(format: &str, args: &[Value], meter: &Meter) -> Result<String, Fault> {
    let mut out = String::with_capacity(format.len() + 16);
    let mut used = 0;
    let mut rest = format.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut form = Form::default();
        while let Some(flag) = rest.peek() {
            match flag {
                '-' => form.minus = Flag::On,
                '+' => form.plus = Flag::On,
                '#' => form.sharp = Flag::On,
                ' ' => form.space = Flag::On,
                '0' => form.zero = Flag::On,
                _ => break,
            }
            rest.next();
        }
        form.width = number(&mut rest)?;
        if rest.next_if_eq(&'.').is_some() {
            form.precision = Some(number(&mut rest)?.unwrap_or(0));
        }
        match rest.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some('*' | '[') => {
                return fault("widths from arguments and explicit argument indexes are not implemented");
            }
            Some(verb) => match args.get(used) {
                None => {
                    out.push_str("%!");
                    out.push(verb);
                    out.push_str("(MISSING)");
                }
                Some(arg) => {
                    used += 1;
                    write_verb(verb, form, arg, 0, meter, &mut out)?;
                }
            },
        }
        if out.len() > meter.bytes_left() {
            meter.text(out.len())?;
        }
    }
    if used < args.len() {
        out.push_str("%!(EXTRA ");
        for (at, arg) in args[used..].iter().enumerate() {
            if at > 0 {
                out.push_str(", ");
            }
            if arg.is_nil() {
                out.push_str("<nil>");
            } else {
                out.push_str(arg.type_name());
                out.push('=');
                display(arg, "<nil>", meter, &mut out)?;
            }
        }
        out.push(')');
    }
    Ok(out)
}

fn number(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Option<usize>, Fault> {
    let mut value = None;
    while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10)) {
        rest.next();
        let next = value.unwrap_or(0_usize) * 10 + digit as usize;
        if next > WIDEST {
            return fault("a width or precision is too large");
        }
        value = Some(next);
    }
    Ok(value)
}

fn write_verb(
    verb: char,
    form: Form,
    arg: &Value,
    depth: usize,
    meter: &Meter,
    out: &mut String,
) -> Result<(), Fault> {
    meter.steps(1)?;
    if depth > MOST_NESTING {
        return Err(Fault::Limit(Limit::Nesting(MOST_NESTING)));
    }
    if matches!(verb, 'v') && form.sharp == Flag::On {
        return fault("the verb %#v is not implemented");
    }
    if verb == 'T' {
        pad(arg.type_name(), form, out);
        return Ok(());
    }
    match arg {
        Value::Nothing | Value::Nil if verb == 'v' => pad("<nil>", form, out),
        Value::Nothing | Value::Nil => {
            out.push_str("%!");
            out.push(verb);
            out.push_str("(<nil>)");
        }
        Value::Bool(truth) if matches!(verb, 't' | 'v') => {
            pad(if *truth { "true" } else { "false" }, form, out);
        }
        Value::Int(number) | Value::Int64(number) => match integer(verb, form, *number) {
            Some(words) => pad_number(&words, form, out),
            None => bad_verb(verb, arg, meter, out)?,
        },
        Value::Float(number) => match float(verb, form, *number)? {
            Some(words) => pad_number(&words, form, out),
            None => bad_verb(verb, arg, meter, out)?,
        },
        Value::Text(text) => match texts(verb, form, text) {
            Some(words) => pad(&words, Form { precision: None, ..form }, out),
            None => bad_verb(verb, arg, meter, out)?,
        },
        Value::List(_) | Value::Host(_) if arg.as_list().is_some() => {
            out.push('[');
            for (at, item) in arg.as_list().into_iter().flat_map(|list| list.iter()).enumerate() {
                if at > 0 {
                    out.push(' ');
                }
                write_verb(verb, form, item, depth + 1, meter, out)?;
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push_str("map[");
            for (at, (key, item)) in map.borrow().iter().enumerate() {
                if at > 0 {
                    out.push(' ');
                }
                write_verb(verb, form, &Value::Text(std::sync::Arc::clone(key)), depth + 1, meter, out)?;
                out.push(':');
                write_verb(verb, form, item, depth + 1, meter, out)?;
            }
            out.push(']');
        }
        Value::Host(_) if matches!(verb, 's' | 'v') => {
            let mut words = String::new();
            display(arg, "<nil>", meter, &mut words)?;
            pad(&words, form, out);
        }
        Value::Bool(_) | Value::List(_) | Value::Host(_) => bad_verb(verb, arg, meter, out)?,
    }
    Ok(())
}

fn bad_verb(verb: char, arg: &Value, meter: &Meter, out: &mut String) -> Result<(), Fault> {
    out.push_str("%!");
    out.push(verb);
    out.push('(');
    out.push_str(arg.type_name());
    out.push('=');
    display(arg, "<nil>", meter, out)?;
    out.push(')');
    Ok(())
}

fn texts(verb: char, form: Form, text: &str) -> Option<String> {
    let cut = |text: &str| match form.precision {
        Some(most) => text.chars().take(most).collect(),
        None => text.to_owned(),
    };
    match verb {
        's' | 'v' => Some(cut(text)),
        'q' if form.sharp == Flag::Off && form.plus == Flag::Off => Some(quoted(&cut(text))),
        'x' => Some(text.bytes().map(|byte| format!("{byte:02x}")).collect()),
        'X' => Some(text.bytes().map(|byte| format!("{byte:02X}")).collect()),
        _ => None,
    }
}

fn integer(verb: char, form: Form, number: i64) -> Option<String> {
    let magnitude = number.unsigned_abs();
    let sharp = form.sharp == Flag::On;
    let digits = match verb {
        'd' | 'v' => magnitude.to_string(),
        'b' => format!("{}{magnitude:b}", if sharp { "0b" } else { "" }),
        'o' => format!("{}{magnitude:o}", if sharp { "0" } else { "" }),
        'O' => format!("0o{magnitude:o}"),
        'x' => format!("{}{magnitude:x}", if sharp { "0x" } else { "" }),
        'X' => format!("{}{magnitude:X}", if sharp { "0X" } else { "" }),
        'c' => {
            return u32::try_from(number)
                .ok()
                .and_then(char::from_u32)
                .or(Some('\u{fffd}'))
                .map(String::from);
        }
        'q' => {
            let c = u32::try_from(number).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
            let mut out = String::from('\'');
            escape(c, '\'', &mut out);
            out.push('\'');
            return Some(out);
        }
        'U' => return Some(format!("U+{number:04X}")),
        _ => return None,
    };
    let digits = match form.precision {
        Some(least) => format!("{digits:0>least$}"),
        None => digits,
    };
    Some(format!("{}{digits}", sign(number < 0, form)))
}

fn sign(negative: bool, form: Form) -> &'static str {
    match (negative, form.plus, form.space) {
        (true, _, _) => "-",
        (false, Flag::On, _) => "+",
        (false, Flag::Off, Flag::On) => " ",
        (false, Flag::Off, Flag::Off) => "",
    }
}

fn float(verb: char, form: Form, number: f64) -> Result<Option<String>, Fault> {
    let magnitude = number.abs();
    let digits = match (verb, form.precision) {
        ('v' | 'g', None) => go_general(magnitude),
        ('f' | 'F', precision) => {
            let places = precision.unwrap_or(6);
            format!("{magnitude:.places$}")
        }
        ('e', precision) => {
            let places = precision.unwrap_or(6);
            let text = format!("{magnitude:.places$e}");
            let (mantissa, exponent) = text.split_once('e').expect("Rust writes an exponent");
            let exponent: i32 = exponent.parse().expect("Rust writes a whole exponent");
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
        }
        ('v' | 'g', Some(_)) | ('G' | 'E' | 'x' | 'X' | 'b', _) => {
            return fault(format!("the verb %{verb} with this precision is not implemented for a float"));
        }
        _ => return Ok(None),
    };
    Ok(Some(format!("{}{digits}", sign(number.is_sign_negative(), form))))
}

fn pad(words: &str, form: Form, out: &mut String) {
    let length = words.chars().count();
    let missing = form.width.unwrap_or(0).saturating_sub(length);
    if form.minus == Flag::On {
        out.push_str(words);
        out.extend(std::iter::repeat_n(' ', missing));
    } else {
        let with = if form.zero == Flag::On { '0' } else { ' ' };
        out.extend(std::iter::repeat_n(with, missing));
        out.push_str(words);
    }
}

/// As [`pad`], with zeros behind the sign.
fn pad_number(words: &str, form: Form, out: &mut String) {
    let zeros = form.zero == Flag::On && form.minus == Flag::Off;
    match words.strip_prefix(['-', '+', ' ']) {
        Some(digits) if zeros => {
            out.push_str(&words[..1]);
            let width = form.width.map(|width| width.saturating_sub(1));
            pad(digits, Form { width, ..form }, out);
        }
        _ => pad(words, form, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::value::{List, Map, Text};

    fn written(format: &str, args: &[Value]) -> String {
        sprintf(format, args, &Meter::default()).expect("the format is implemented")
    }

    /// What Go 1.26 printed for the same.
    #[test]
    fn verbs_format_as_in_go() {
        let map: Map =
            [(Text::from("a"), Value::Float(1.5)), (Text::from("b"), Value::text("c"))].into_iter().collect();
        let list = List::new(vec![Value::text("a"), Value::Int(1)]);
        for (format, args, text) in [
            ("%s-%d", vec![Value::text("a"), Value::Int(3)], "a-3"),
            ("%s", vec![Value::Float(1_500_000.0)], "%!s(float64=1.5e+06)"),
            ("%d", vec![Value::text("x")], "%!d(string=x)"),
            (
                "%v %s",
                vec![Value::Map(map.clone()), Value::Map(map)],
                "map[a:1.5 b:c] map[a:%!s(float64=1.5) b:c]",
            ),
            ("%q", vec![Value::List(list)], "[\"a\" '\\x01']"),
            ("%s %v %q", vec![Value::Nil, Value::Nil, Value::Nil], "%!s(<nil>) <nil> %!q(<nil>)"),
            ("%d %s", vec![Value::Int(1)], "1 %!s(MISSING)"),
            ("%d", vec![Value::Int(1), Value::Int(2)], "1%!(EXTRA int=2)"),
            ("%z", vec![Value::Int(3)], "%!z(int=3)"),
            (
                "%5s|%-5s|%05d|%%",
                vec![Value::text("ab"), Value::text("ab"), Value::Int(-42)],
                "   ab|ab   |-0042|%",
            ),
            (
                "%+d|%x|%X|%o|%b|%#x|% d|%c|%U",
                [7, 255, 255, 8, 5, 255, 7, 65, 65].map(Value::Int).into(),
                "+7|ff|FF|10|101|0xff| 7|A|U+0041",
            ),
            (
                "%6.2f|%e|%t|%T",
                vec![Value::Float(1.5), Value::Float(15012.0), Value::Bool(true), Value::Nil],
                "  1.50|1.501200e+04|true|<nil>",
            ),
            ("%.2s|%x", vec![Value::text("abc"), Value::text("hi")], "ab|6869"),
            ("100%", vec![], "100%!(NOVERB)"),
        ] {
            assert_eq!(written(format, &args), text, "{format}");
        }
    }
}
