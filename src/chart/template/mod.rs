//! Templates: from text, by way of gotmpl's parser, to steps that are ready to run.
//!
//! Names are resolved once: variables to slots, functions to pointers. What the
//! parser lets pass and Go does not is refused here, before anything runs.

mod blocks;
mod compile;

use std::sync::Arc;

use super::function::Function;
use super::value::Text;

pub(super) use compile::{Compiled, compile};

/// A template's steps, and the file that they come from.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) name: Text,
    pub(super) source: Arc<Source>,
    pub(super) body: Body,
    /// Nothing but white space: such a definition replaces no other.
    pub(super) is_empty: bool,
}

/// A text with templates in it.
#[derive(Debug)]
pub(super) struct Source {
    /// The path in the chart.
    pub(super) file: Text,
    pub(super) text: Text,
}

/// What a field is called: short, as a rule, and then held in place.
pub(super) type Name = gotmpl::parse::SmolStr;

/// A byte of a [`Source`].
pub(super) type Offset = u32;

pub(super) type Body = Box<[Step]>;

/// One step of a template.
#[derive(Debug)]
pub(super) enum Step {
    Text(Text),
    Print(Pipe),
    /// `$x := ...`: a new slot on top.
    Declare(Pipe),
    /// `$x = ...`.
    Assign(usize, Pipe),
    If(Box<Branch>),
    With(Box<Branch>),
    Range(Box<Range>),
    /// `{{ template "name" ... }}`.
    Template {
        name: Text,
        data: Option<Pipe>,
        at: Offset,
    },
    Break,
    Continue,
}

/// `if` or `with`.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) binds: Binds,
    pub(super) then: Body,
    pub(super) otherwise: Body,
}

/// What a branch's pipeline does with its result beside deciding.
#[derive(Debug)]
pub(super) enum Binds {
    Nothing,
    /// `if $x := ...`: a new slot, for both branches.
    New,
    /// `if $x = ...`.
    Slot(usize),
}

/// `range`.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) pipe: Pipe,
    pub(super) variables: Variables,
    pub(super) body: Body,
    pub(super) otherwise: Body,
}

/// Where a `range` puts index and element.
#[derive(Debug)]
pub(super) enum Variables {
    None,
    /// `$v := range`.
    NewElement,
    /// `$i, $v := range`: two new slots.
    NewBoth,
    /// `$v = range`.
    Element(usize),
    /// `$i, $v = range`.
    Both(usize, usize),
}

/// A pipeline.
#[derive(Debug)]
pub(super) struct Pipe(pub(super) Box<[Command]>);

/// One command of a pipeline.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) at: Offset,
    pub(super) head: Expr,
    pub(super) args: Box<[Expr]>,
}

/// An operand, or what a command does.
#[derive(Debug)]
pub(super) enum Expr {
    Dot,
    Field(Offset, Box<[Name]>),
    Variable(Offset, usize, Box<[Name]>),
    Literal(Literal),
    Nil,
    Pipe(Pipe),
    Chain(Offset, Box<Expr>, Box<[Name]>),
    Function(Offset, &'static Function),
}

/// A literal.
#[derive(Debug)]
pub(super) enum Literal {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Text),
}

impl Source {
    /// Line and column of a byte, from 1.
    pub(super) fn line_and_column(&self, at: Offset) -> (u32, u32) {
        let end = (at as usize).min(self.text.len());
        let before = self.text.get(..end).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before[line_start..].chars().count() + 1;
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }
}
