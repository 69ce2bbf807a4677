//! One operand of `printf` under one verb, as Go's `fmt` writes it (Go 1.26, `fmt/format.go`).

use data_encoding::{HEXLOWER, HEXUPPER};

use crate::chart::error::{Fault, Limit};
use crate::chart::meter::{MOST_NESTING, Meter};
use crate::chart::value::{Host, Text, Value, escape, escape_ascii, is_printable, quoted};
use crate::document::number::{go_general, go_general_to};

use super::arg::fault;

/// The flags, width and precision of a verb.
#[derive(Default, Clone, Copy)]
pub(super) struct Form {
    minus: Flag,
    plus: Flag,
    sharp: Flag,
    space: Flag,
    zero: Flag,
    /// Whether fields stand with their names: `%+v`.
    named: Flag,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Flag {
    #[default]
    Off,
    On,
}

impl Form {
    /// Sets a flag; false where it is none.
    pub(super) fn set(&mut self, flag: char) -> bool {
        let flag = match flag {
            '-' => &mut self.minus,
            '+' => &mut self.plus,
            '#' => &mut self.sharp,
            ' ' => &mut self.space,
            '0' => &mut self.zero,
            _ => return false,
        };
        *flag = Flag::On;
        true
    }

    /// Sets a width that comes from an operand: a negative one fills to the right.
    pub(super) fn set_width(&mut self, width: i64) {
        self.width = usize::try_from(width.unsigned_abs()).ok();
        if width < 0 {
            self.minus = Flag::On;
        }
    }

    /// Whether zeros fill the width, which they only do to the left.
    fn fills_with_zeros(self) -> bool {
        self.zero == Flag::On && self.minus == Flag::Off
    }

    fn sign(self, is_negative: bool) -> &'static str {
        match (is_negative, self.plus, self.space) {
            (true, _, _) => "-",
            (false, Flag::On, _) => "+",
            (false, Flag::Off, Flag::On) => " ",
            (false, Flag::Off, Flag::Off) => "",
        }
    }
}

/// Writes an operand.
pub(super) fn write(
    verb: char,
    form: Form,
    arg: &Value,
    meter: &Meter,
    out: &mut String,
) -> Result<(), Fault> {
    let mut writer = Writer { meter, out };
    match (verb, arg) {
        ('v' | 'w', _) if form.sharp == Flag::On => fault(format!("the verb %#{verb} is not implemented")),
        ('T', Value::Nothing | Value::Nil) | ('v', Value::Nothing | Value::Nil) => writer.pad("<nil>", form),
        ('T', _) => writer.pad(cut(arg.type_name(), form), form),
        ('p', Value::List(_) | Value::Map(_) | Value::Host(_)) => {
            fault("an address is another one in each run: the verb %p is not implemented")
        }
        ('v', _) => writer.write(verb, Form { plus: Flag::Off, named: form.plus, ..form }, arg, 0),
        // The verb for errors, which no value is.
        ('w', _) => writer.bad_verb(verb, Form { plus: Flag::Off, named: form.plus, ..form }, arg, 0),
        _ => writer.write(verb, form, arg, 0),
    }
}

struct Writer<'a> {
    meter: &'a Meter,
    out: &'a mut String,
}

impl Writer<'_> {
    fn write(&mut self, verb: char, form: Form, arg: &Value, depth: usize) -> Result<(), Fault> {
        self.meter.steps(1)?;
        if depth > MOST_NESTING {
            return Err(Fault::Limit(Limit::Nesting(MOST_NESTING)));
        }
        match arg {
            Value::Nothing | Value::Nil if depth > 0 => {
                self.out.push_str("<nil>");
                Ok(())
            }
            Value::Nothing | Value::Nil => self.bad_verb(verb, form, arg, depth),
            Value::Bool(truth) => match verb {
                't' | 'v' => self.pad(if *truth { "true" } else { "false" }, form),
                _ => self.bad_verb(verb, form, arg, depth),
            },
            Value::Int(number) | Value::Int64(number) => self.integer(verb, form, *number, arg, depth),
            Value::Float(number) => self.float(verb, form, *number, arg, depth),
            Value::Text(text) => self.text(verb, form, text, arg, depth),
            Value::List(list) => self.list(verb, form, list, depth),
            Value::Map(map) => {
                self.out.push_str("map[");
                for (at, (key, item)) in map.borrow().iter().enumerate() {
                    if at > 0 {
                        self.out.push(' ');
                    }
                    self.write(verb, form, &Value::Text(Text::clone(key)), depth + 1)?;
                    self.out.push(':');
                    self.write(verb, form, item, depth + 1)?;
                }
                self.out.push(']');
                Ok(())
            }
            Value::Host(host) => match &**host {
                Host::ApiVersions(list) => self.list(verb, form, list, depth),
                Host::KubeVersion { version, major, minor } => {
                    self.fields(verb, form, [("Version", version), ("Major", major), ("Minor", minor)], depth)
                }
                Host::Bytes(bytes) => match (verb, std::str::from_utf8(bytes)) {
                    ('s' | 'q' | 'x' | 'X', Ok(text)) => self.text(verb, form, text, arg, depth),
                    _ => fault(format!("printing bytes with the verb %{verb} is not implemented")),
                },
                Host::Struct { .. } | Host::Files(_) => fault(format!(
                    "printing a {} is not implemented; name one of its fields",
                    arg.type_name()
                )),
            },
        }
    }

    fn list(&mut self, verb: char, form: Form, items: &[Value], depth: usize) -> Result<(), Fault> {
        self.out.push('[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.out.push(' ');
            }
            self.write(verb, form, item, depth + 1)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn fields(
        &mut self,
        verb: char,
        form: Form,
        fields: [(&str, &Text); 3],
        depth: usize,
    ) -> Result<(), Fault> {
        self.out.push('{');
        for (at, (name, value)) in fields.into_iter().enumerate() {
            if at > 0 {
                self.out.push(' ');
            }
            if form.named == Flag::On {
                self.out.extend([name, ":"]);
            }
            self.write(verb, form, &Value::Text(Text::clone(value)), depth + 1)?;
        }
        self.out.push('}');
        Ok(())
    }

    /// What stands for a value that a verb is not for.
    fn bad_verb(&mut self, verb: char, form: Form, arg: &Value, depth: usize) -> Result<(), Fault> {
        self.out.extend(["%!", verb.encode_utf8(&mut [0; 4]), "("]);
        if arg.is_nil() {
            self.out.push_str("<nil>");
        } else {
            self.out.extend([arg.type_name(), "="]);
            // Every value has this one, so it ends here.
            self.write('v', form, arg, depth + 1)?;
        }
        self.out.push(')');
        Ok(())
    }

    fn text(&mut self, verb: char, form: Form, text: &str, arg: &Value, depth: usize) -> Result<(), Fault> {
        match verb {
            's' | 'v' => self.pad(cut(text, form), form),
            'q' => {
                let text = cut(text, form);
                if form.sharp == Flag::On && can_be_raw(text) {
                    return self.pad(&format!("`{text}`"), form);
                }
                match form.plus {
                    Flag::Off => self.pad(&quoted(text), form),
                    Flag::On => {
                        let mut words = String::from('"');
                        text.chars().for_each(|c| escape_ascii(c, '"', &mut words));
                        words.push('"');
                        self.pad(&words, form)
                    }
                }
            }
            'x' => self.bytes(form, text, &HEXLOWER, "0x"),
            'X' => self.bytes(form, text, &HEXUPPER, "0X"),
            _ => self.bad_verb(verb, form, arg, depth),
        }
    }

    fn bytes(
        &mut self,
        form: Form,
        text: &str,
        digits: &data_encoding::Encoding,
        prefix: &str,
    ) -> Result<(), Fault> {
        let bytes = text.as_bytes();
        let bytes = &bytes[..form.precision.map_or(bytes.len(), |most| most.min(bytes.len()))];
        let prefix = if form.sharp == Flag::On { prefix } else { "" };
        let words = match (bytes, form.space) {
            ([], _) => String::new(),
            (_, Flag::Off) => format!("{prefix}{}", digits.encode(bytes)),
            (_, Flag::On) => {
                let each = bytes.iter().map(|byte| format!("{prefix}{}", digits.encode(&[*byte])));
                each.collect::<Vec<_>>().join(" ")
            }
        };
        self.pad(&words, form)
    }

    fn integer(
        &mut self,
        verb: char,
        form: Form,
        number: i64,
        arg: &Value,
        depth: usize,
    ) -> Result<(), Fault> {
        let magnitude = number.unsigned_abs();
        let (digits, prefix) = match verb {
            'd' | 'v' => (magnitude.to_string(), ""),
            'b' => (format!("{magnitude:b}"), "0b"),
            'o' | 'O' => (format!("{magnitude:o}"), "0"),
            'x' => (format!("{magnitude:x}"), "0x"),
            'X' => (format!("{magnitude:X}"), "0X"),
            'c' => return self.pad(character(number).encode_utf8(&mut [0; 4]), form),
            'q' => {
                let mut words = String::from('\'');
                match form.plus {
                    Flag::Off => escape(character(number), '\'', &mut words),
                    Flag::On => escape_ascii(character(number), '\'', &mut words),
                }
                words.push('\'');
                return self.pad(&words, form);
            }
            'U' => {
                let least = form.precision.unwrap_or(0).max(4);
                let mut words = format!("U+{:0>least$}", format!("{:X}", number.cast_unsigned()));
                let shown = u32::try_from(number).ok().and_then(char::from_u32).filter(|c| is_shown(*c));
                if let Some(shown) = shown.filter(|_| form.sharp == Flag::On) {
                    words.push_str(&format!(" '{shown}'"));
                }
                return self.pad(&words, Form { zero: Flag::Off, ..form });
            }
            _ => return self.bad_verb(verb, form, arg, depth),
        };
        let sign = form.sign(number < 0);
        let least = match form.precision {
            // No precision and nothing to show is nothing at all.
            Some(0) if number == 0 => return self.pad("", Form { zero: Flag::Off, ..form }),
            Some(least) => least,
            None if form.fills_with_zeros() => form.width.unwrap_or(0).saturating_sub(sign.len()),
            None => 0,
        };
        let digits = format!("{digits:0>least$}");
        let prefix = match (verb, form.sharp) {
            ('o' | 'O', Flag::On) if digits.starts_with('0') => "",
            (_, Flag::On) => prefix,
            (_, Flag::Off) => "",
        };
        let octal = if verb == 'O' { "0o" } else { "" };
        self.pad(&format!("{sign}{octal}{prefix}{digits}"), Form { zero: Flag::Off, ..form })
    }

    fn float(&mut self, verb: char, form: Form, number: f64, arg: &Value, depth: usize) -> Result<(), Fault> {
        let magnitude = number.abs();
        let digits = match (verb, form.precision) {
            ('b' | 'x' | 'X', _) => {
                return fault(format!("the verb %{verb} is not implemented for a float"));
            }
            ('v' | 'g' | 'G' | 'f' | 'F' | 'e' | 'E', _) if !number.is_finite() => {
                let words = match (form.sign(number.is_sign_negative()), number.is_nan()) {
                    (_, true) => format!("{}NaN", form.sign(false)),
                    ("", false) => "+Inf".to_owned(),
                    (sign, false) => format!("{sign}Inf"),
                };
                return self.pad(&words, Form { zero: Flag::Off, ..form });
            }
            ('v' | 'g' | 'G', None) => go_general(magnitude),
            ('v' | 'g' | 'G', Some(digits)) => go_general_to(magnitude, digits),
            ('f' | 'F', places) => format!("{magnitude:.*}", places.unwrap_or(6)),
            ('e' | 'E', places) => {
                let text = format!("{magnitude:.*e}", places.unwrap_or(6));
                let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
                let (sign, exponent) = match exponent.strip_prefix('-') {
                    Some(exponent) => ('-', exponent),
                    None => ('+', exponent),
                };
                format!("{mantissa}e{sign}{exponent:0>2}")
            }
            _ => return self.bad_verb(verb, form, arg, depth),
        };
        let digits = if form.sharp == Flag::On { with_point(verb, form, &digits) } else { digits };
        let digits = if matches!(verb, 'G' | 'E') { digits.to_uppercase() } else { digits };
        let sign = form.sign(number.is_sign_negative());
        match form.width {
            Some(width) if form.fills_with_zeros() => {
                self.out.push_str(sign);
                self.pad(&digits, Form { width: Some(width.saturating_sub(sign.len())), ..form })
            }
            Some(_) | None => self.pad(&format!("{sign}{digits}"), form),
        }
    }

    /// Writes words, and in front of or behind them what lacks of the width.
    fn pad(&mut self, words: &str, form: Form) -> Result<(), Fault> {
        let missing = form.width.unwrap_or(0).saturating_sub(words.chars().count());
        if self.out.len() + words.len() + missing > self.meter.bytes_left() {
            self.meter.text(self.out.len() + words.len() + missing)?;
        }
        if form.minus == Flag::On {
            self.out.push_str(words);
        }
        let with = if form.fills_with_zeros() { '0' } else { ' ' };
        self.out.extend(std::iter::repeat_n(with, missing));
        if form.minus == Flag::Off {
            self.out.push_str(words);
        }
        Ok(())
    }
}

/// As many letters as the precision says.
fn cut(text: &str, form: Form) -> &str {
    let end = form.precision.and_then(|most| text.char_indices().nth(most));
    end.map_or(text, |(end, _)| &text[..end])
}

fn character(number: i64) -> char {
    u32::try_from(number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn is_shown(c: char) -> bool {
    c == ' ' || is_printable(c)
}

/// Whether a text can stand between backquotes.
fn can_be_raw(text: &str) -> bool {
    !text.chars().any(|c| matches!(c, '`' | '\u{7f}' | '\u{feff}') || (c < ' ' && c != '\t'))
}

/// What `#` makes of a float: a point in any case, and the zeros that `%g` leaves out.
fn with_point(verb: char, form: Form, digits: &str) -> String {
    let (number, tail) = digits.find('e').map_or((digits, ""), |at| digits.split_at(at));
    let significant = number.trim_start_matches(['0', '.']).bytes().filter(u8::is_ascii_digit).count();
    // A zero alone counts once.
    let significant = if number == "0" { 1 } else { significant };
    let missing = match verb {
        'v' | 'g' | 'G' => form.precision.unwrap_or(6).saturating_sub(significant),
        _ => 0,
    };
    let point = if number.contains('.') { "" } else { "." };
    format!("{number}{point}{}{tail}", "0".repeat(missing))
}
