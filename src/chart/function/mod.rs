//! The functions of templates: Go's own, Helm's, and most of sprig's.
//!
//! One table per kind; a name is looked up once, when a template is compiled.
//! A function checks its arguments as Go's types would: the words of an error
//! are Go's where a chart's author may know them.

mod arg;
mod core;
mod dict;
mod encode;
mod format;
mod list;
mod math;
mod merge;
mod path;
mod pattern;
mod refused;
mod regexp;
mod semver;
mod text;
mod verb;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::error::Fault;
use super::meter::Meter;
use super::value::{Text, Value};

pub(super) use dict::deep_copy;
pub(super) use encode::read_yaml;
pub(super) use semver::{is_version, satisfies};

/// A function of the template language.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    /// Fewest arguments.
    pub(super) least: usize,
    /// Most arguments.
    pub(super) most: usize,
    pub(super) run: Run,
}

/// How a function runs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Run {
    /// On values alone.
    Plain(Plain),
    /// Evaluates only the arguments that it needs.
    And,
    /// As `And`.
    Or,
    /// Runs a template.
    Include,
    /// Compiles a text and runs it.
    Tpl,
}

type Plain = fn(&Meter, &[Value]) -> Result<Value, Fault>;

/// As many arguments as anyone likes.
const ANY: usize = usize::MAX;

const fn plain(name: &'static str, least: usize, most: usize, run: Plain) -> Function {
    Function { name, least, most, run: Run::Plain(run) }
}

static CONTROL: &[Function] = &[
    Function { name: "and", least: 1, most: ANY, run: Run::And },
    Function { name: "or", least: 1, most: ANY, run: Run::Or },
    Function { name: "include", least: 2, most: 2, run: Run::Include },
    Function { name: "tpl", least: 2, most: 2, run: Run::Tpl },
];

static TABLES: &[&[Function]] = &[
    CONTROL,
    core::FUNCTIONS,
    dict::FUNCTIONS,
    encode::FUNCTIONS,
    format::FUNCTIONS,
    list::FUNCTIONS,
    math::FUNCTIONS,
    merge::FUNCTIONS,
    path::FUNCTIONS,
    regexp::FUNCTIONS,
    semver::FUNCTIONS,
    text::FUNCTIONS,
];

static BY_NAME: LazyLock<HashMap<&'static str, &'static Function>> =
    LazyLock::new(|| TABLES.iter().copied().flatten().map(|function| (function.name, function)).collect());

/// The function of that name, or why there is none.
pub(super) fn lookup(name: &str) -> Result<&'static Function, Fault> {
    match (BY_NAME.get(name), refused::reason(name)) {
        (Some(function), _) => Ok(function),
        (None, Some(reason)) => Err(Fault::FunctionRefused { name: name.to_owned(), reason }),
        (None, None) => Err(Fault::FunctionUnknown(name.to_owned())),
    }
}

/// The text at a place of the arguments.
pub(super) fn text_arg(args: &[Value], at: usize) -> Result<Text, Fault> {
    match &args[at] {
        Value::Text(text) => Ok(std::sync::Arc::clone(text)),
        other => Err(arg::wrong_type("string", other)),
    }
}

impl Function {
    /// The error for a wrong number of arguments.
    pub(super) fn wrong_count(&self, got: usize) -> Fault {
        let Self { name, least, most, .. } = self;
        let want = match *most {
            ANY => format!("at least {least}"),
            most if most == *least => least.to_string(),
            most => format!("{least} to {most}"),
        };
        Fault::Template(format!("wrong number of args for {name}: want {want} got {got}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_function_stands_in_two_tables_or_is_refused_too() {
        let names: Vec<&str> = TABLES.iter().copied().flatten().map(|function| function.name).collect();
        assert_eq!(names.len(), BY_NAME.len());
        let refused: Vec<&&str> = names.iter().filter(|name| refused::reason(name).is_some()).collect();
        assert_eq!(refused, Vec::<&&str>::new());
    }
}
