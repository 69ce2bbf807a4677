//! `printf` and `print`, as Go's `fmt` formats (Go 1.26, `fmt/print.go`).

use crate::chart::error::Fault;
use crate::chart::meter::Meter;
use crate::chart::value::{Value, display};

use super::arg::{fault, text};
use super::verb::{Form, write};
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
            display(arg, meter, &mut out)?;
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
        display(arg, meter, &mut out)?;
        before = Some(arg);
    }
    Ok(out)
}

/// The widest width and the longest precision. Go takes some more.
const WIDEST: usize = u16::MAX as usize;
/// Beyond it an operand is no width for Go.
const WIDEST_OPERAND: u64 = 1_000_000;

fn sprintf(format: &str, args: &[Value], meter: &Meter) -> Result<String, Fault> {
    let mut out = String::with_capacity(format.len() + 16);
    let mut operands = Operands { args, next: 0, are_named: false, are_good: true };
    let mut rest = format;
    while let Some((before, verb)) = rest.split_once('%') {
        out.push_str(before);
        rest = write_operand(verb, &mut operands, meter, &mut out)?;
        if out.len() > meter.bytes_left() {
            meter.text(out.len())?;
        }
    }
    out.push_str(rest);
    if !operands.are_named && operands.next < args.len() {
        out.push_str("%!(EXTRA ");
        for (at, arg) in args[operands.next..].iter().enumerate() {
            if at > 0 {
                out.push_str(", ");
            }
            if !arg.is_nil() {
                out.push_str(arg.type_name());
                out.push('=');
            }
            display(arg, meter, &mut out)?;
        }
        out.push(')');
    }
    Ok(out)
}

/// The operands of a format, and which of them is the next.
struct Operands<'a> {
    args: &'a [Value],
    next: usize,
    /// Whether the format names one by its number: those left over are no matter then.
    are_named: bool,
    /// Whether what the current verb says of numbers can be followed.
    are_good: bool,
}

impl Operands<'_> {
    /// Takes `[2]` from the start of a format; whether a number was there.
    fn index(&mut self, format: &mut &str) -> bool {
        let Some(inner) = format.strip_prefix('[') else { return false };
        self.are_named = true;
        let closed = inner.split_once(']').filter(|_| format.len() > 2);
        let number = closed.map_or("", |(number, _)| number);
        *format = closed.map_or(inner, |(_, after)| after);
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            self.are_good = false;
            return false;
        }
        let at = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        match at.filter(|at| *at < self.args.len()) {
            Some(at) => self.next = at,
            None => self.are_good = false,
        }
        true
    }

    /// The number that `*` stands for, which may be negative.
    fn star(&mut self) -> Result<Option<i64>, Fault> {
        let Some(arg) = self.args.get(self.next) else { return Ok(None) };
        self.next += 1;
        match arg {
            Value::Int(number) | Value::Int64(number) if number.unsigned_abs() <= WIDEST as u64 => {
                Ok(Some(*number))
            }
            Value::Int(number) | Value::Int64(number) if number.unsigned_abs() <= WIDEST_OPERAND => {
                too_large()
            }
            _ => Ok(None),
        }
    }
}

/// Writes what follows a `%`; the rest of the format is what comes back.
fn write_operand<'f>(
    format: &'f str,
    operands: &mut Operands<'_>,
    meter: &Meter,
    out: &mut String,
) -> Result<&'f str, Fault> {
    let mut form = Form::default();
    let mut rest = format.trim_start_matches(|flag| form.set(flag));
    operands.are_good = true;
    let mut is_named = operands.index(&mut rest);
    if let Some(after) = rest.strip_prefix('*') {
        rest = after;
        match operands.star()? {
            Some(width) => form.set_width(width),
            None => out.push_str("%!(BADWIDTH)"),
        }
        is_named = false;
    } else {
        form.width = number(&mut rest)?;
        operands.are_good &= !is_named || form.width.is_none();
    }
    // A point at the very end is the verb, and there is none of that name.
    if let Some(after) = rest.strip_prefix('.').filter(|after| !after.is_empty()) {
        rest = after;
        operands.are_good &= !is_named;
        is_named = operands.index(&mut rest);
        if let Some(after) = rest.strip_prefix('*') {
            rest = after;
            match operands.star()?.map(usize::try_from) {
                Some(Ok(precision)) => form.precision = Some(precision),
                Some(Err(_)) | None => out.push_str("%!(BADPREC)"),
            }
            is_named = false;
        } else {
            form.precision = Some(number(&mut rest)?.unwrap_or(0));
        }
    }
    if !is_named {
        operands.index(&mut rest);
    }
    let mut after = rest.chars();
    match (after.next(), operands.args.get(operands.next)) {
        (None, _) => out.push_str("%!(NOVERB)"),
        (Some('%'), _) => out.push('%'),
        (Some(verb), _) if !operands.are_good => {
            out.extend(["%!", verb.encode_utf8(&mut [0; 4]), "(BADINDEX)"])
        }
        (Some(verb), None) => out.extend(["%!", verb.encode_utf8(&mut [0; 4]), "(MISSING)"]),
        (Some(verb), Some(arg)) => {
            operands.next += 1;
            write(verb, form, arg, meter, out)?;
        }
    }
    Ok(after.as_str())
}

/// Takes a number from the start of a format.
fn number(rest: &mut &str) -> Result<Option<usize>, Fault> {
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (digits, after) = rest.split_at(digits);
    *rest = after;
    if digits.is_empty() {
        return Ok(None);
    }
    match digits.parse() {
        Ok(number) if number <= WIDEST => Ok(Some(number)),
        Ok(_) | Err(_) => too_large(),
    }
}

fn too_large<T>() -> Result<T, Fault> {
    fault(format!("a width or precision of more than {WIDEST} is not implemented"))
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

    #[test]
    fn what_go_can_fill_and_rust_cannot_is_refused() {
        for (format, args) in [
            ("%65536d", vec![Value::Int(1)]),
            ("%.65536f", vec![Value::Float(1.0)]),
            ("%*d", vec![Value::Int(65_536), Value::Int(1)]),
        ] {
            let error = sprintf(format, &args, &Meter::default()).expect_err("it is too wide");
            assert!(error.to_string().contains("more than 65535 is not implemented"), "{error}");
        }
        assert_eq!(written("%65535d", &[Value::Int(1)]).len(), 65_535);
        assert_eq!(written("%.65535f", &[Value::Float(1.0)]).len(), 65_537);
    }
}
